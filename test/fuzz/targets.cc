// The readers of checkpoints and prompts, one a target.
#include "core/checkpoint/inspect.h"
#include "core/checkpoint/json.h"
#include "core/checkpoint/npy.h"
#include "core/checkpoint/pickle.h"
#include "core/checkpoint/safetensors.h"
#include "core/checkpoint/shard_index.h"
#include "core/checkpoint/state_dict.h"
#include "core/checkpoint/torchscript.h"
#include "core/t5/config.h"
#include "target.h"
#include "wrap.h"

using namespace softprompt;

FUZZ_TARGET(safetensors) {
  const SafetensorsFile file(fuzz::fileOf(bytes));
  fuzz::readAll(file.tensors());
}

// A prompt's file: .npy or safetensors, told apart by its first bytes.
FUZZ_TARGET(prompt) {
  fuzz::readAll(inspectFile(fuzz::fileOf(bytes)).tensors);
}

FUZZ_TARGET(npy) {
  fuzz::readAll(NpyFile(fuzz::fileOf(bytes)).tensors());
}

FUZZ_TARGET(json) {
  try {
    parseJson(bytes);
  } catch (const JsonSyntax&) {
  }
}

FUZZ_TARGET(config) {
  parseConfig(std::string(bytes), "config.json");
}

FUZZ_TARGET(shard_index) {
  const ShardIndex index(bytes, "model.safetensors.index.json", ".safetensors");
  for (const std::string& name : index.shards()) {
    if (name.find('/') != std::string::npos || name.starts_with("..")) throw std::logic_error("it leaves the folder");
  }
}

FUZZ_TARGET(pickle) {
  try {
    const Pickle pickle(bytes);
  } catch (const PickleSyntax&) {
  }
}

FUZZ_TARGET(state_dict) {
  fuzz::readAll(StateDictFile(fuzz::fileOf(bytes)).tensors());
}

// The same, behind the archive's checksums.
FUZZ_TARGET(state_dict_pickle) {
  fuzz::readAll(StateDictFile(fuzz::fileOf(fuzz::archiveOf(bytes, false))).tensors());
}

FUZZ_TARGET(torchscript) {
  TorchScriptFile file(fuzz::fileOf(bytes));
  file.code();
  file.extra("config.json");
  file.parseModule();
  fuzz::readAll(file.tensors());
}

FUZZ_TARGET(torchscript_pickle) {
  TorchScriptFile file(fuzz::fileOf(fuzz::archiveOf(bytes, true)));
  file.parseModule();
  fuzz::readAll(file.tensors());
}
