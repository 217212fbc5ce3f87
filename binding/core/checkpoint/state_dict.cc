#include "core/checkpoint/state_dict.h"

#include <algorithm>
#include <string_view>

#include "core/checkpoint/torch_archive.h"
#include "core/runtime/error.h"

namespace softprompt {
namespace {

using Kind = PickleValue::Kind;

constexpr const char* kInvalid = "MODEL_FILE_INVALID";
constexpr size_t kMaxName = 1024;
// How the form before PyTorch 1.6 begins: the pickle of a magic number.
constexpr std::string_view kLegacy("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 14);

void refuseOtherKinds(const ReadFile& file) {
  const std::string start = file.text(0, std::min<uint64_t>(file.size(), kLegacy.size()));
  if (start == kLegacy) {
    throw Error("MODEL_UNSUPPORTED",
                file.path() +
                    " has the form from before PyTorch 1.6, which is not read. Save it again: python -c "
                    "\"import torch; f = 'pytorch_model.bin'; torch.save(torch.load(f, weights_only=True), "
                    "f)\", or fetch the model's model.safetensors");
  }
  if (start.starts_with("version ")) {
    throw Error(kInvalid, file.path() +
                              " is the pointer that Git LFS keeps for the file; fetch the file itself "
                              "(git lfs pull)");
  }
}

const char* nounOf(const PickleValue& value) {
  switch (value.kind) {
    case Kind::kDict:
      return "a dict";
    case Kind::kList:
      return "a list";
    case Kind::kString:
      return "a text";
    default:
      return "another value";
  }
}

}  // namespace

StateDictFile::StateDictFile(const std::string& path) : StateDictFile(std::make_shared<ReadFile>(path)) {}

StateDictFile::StateDictFile(const std::shared_ptr<const ReadFile>& file) : TensorSource(file->path()) {
  refuseOtherKinds(*file);
  const TorchArchive archive(file, kInvalid);
  if (archive.find("constants.pkl")) archive.fail("it is a TorchScript module, not a state dict");
  try {
    const Pickle pickle = archive.pickle();
    const PickleValue& root = pickle.root();
    if (root.kind != Kind::kDict) archive.fail(std::string("it holds ") + nounOf(root) + ", not a dict of tensors");
    for (size_t i = 0; i + 1 < root.items.size(); i += 2) {
      const PickleValue &key = *root.items[i], &value = *root.items[i + 1];
      if (key.kind != Kind::kString || key.text.size() > kMaxName) archive.fail("a tensor has no reasonable name");
      if (value.kind != Kind::kTensor) {
        archive.fail("under '" + key.text + "' it holds " + nounOf(value) +
                     ", not a tensor; a model's weights are a flat dict of tensors");
      }
      if (!add(archive.tensorOf(value, key.text))) archive.fail("the tensor " + key.text + " is there twice");
    }
  } catch (const PickleSyntax& e) {
    archive.fail(e.what());
  }
  archive.checkTotal(tensors());
}

}  // namespace softprompt
