#include "core/prompt/prefix.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <string>

#include "core/prompt/prompt.h"
#include "core/runtime/error.h"

namespace softprompt {
namespace {

// Where everything lies in one padded batch of B rows and S positions, all in flat positions b * S + s.
struct Layout {
  int64_t rows = 0;
  int64_t positions = 0;                     // S
  std::vector<std::vector<int64_t>> starts;  // for each prompt, where its copies begin: one entry a row that uses it
  std::vector<int64_t> lengths;              // for each row, prompt + ids
};

int64_t promptRows(const std::vector<at::Tensor>& prompts, int32_t index) {
  return index < 0 ? 0 : prompts[index].size(0);
}

Layout layOut(const TokenRows& inputs, const std::vector<PrefixedRow>& rows, const std::vector<at::Tensor>& prompts,
              int64_t bucket) {
  Layout layout;
  layout.rows = static_cast<int64_t>(rows.size());
  layout.starts.resize(prompts.size());
  int64_t longest = 0;
  for (const PrefixedRow& row : rows) {
    const int64_t length = promptRows(prompts, row.prompt) + inputs.length(row.input);
    if (length == 0)
      throw Error("DATA_ROW_INVALID", "row " + std::to_string(row.input) +
                                          ": the input has no tokens and no prompt; give it at least one of them");
    layout.lengths.push_back(length);
    longest = std::max(longest, length);
  }
  layout.positions = (longest + bucket - 1) / bucket * bucket;
  for (int64_t b = 0; b < layout.rows; ++b)
    if (rows[b].prompt >= 0) layout.starts[rows[b].prompt].push_back(b * layout.positions);
  return layout;
}

// int64 [B, S]: each row's ids behind the place of its prompt; the pad id everywhere else.
at::Tensor paddedIds(const Layout& layout, const TokenRows& inputs, const std::vector<PrefixedRow>& rows,
                     const T5Config& config) {
  at::Tensor ids = at::empty({layout.rows, layout.positions}, at::kLong);
  int64_t* out = ids.data_ptr<int64_t>();
  std::fill_n(out, ids.numel(), config.padTokenId);
  for (int64_t b = 0; b < layout.rows; ++b) {
    const std::span<const int32_t> row = inputs.row(rows[b].input);
    std::copy(row.begin(), row.end(), out + b * layout.positions + layout.lengths[b] - std::ssize(row));
  }
  return ids;
}

at::Tensor realPositions(const Layout& layout) {
  at::Tensor mask = at::empty({layout.rows, layout.positions}, at::kBool);
  bool* out = mask.data_ptr<bool>();
  for (int64_t b = 0; b < layout.rows; ++b, out += layout.positions) {
    std::fill_n(out, layout.lengths[b], true);
    std::fill_n(out + layout.lengths[b], layout.positions - layout.lengths[b], false);
  }
  return mask;
}

// `flat` [B * S, d] with every copy of every prompt at its place. A prompt is repeated before it is cast, so that its
// gradient is summed over the rows in float32.
at::Tensor withPrompts(const at::Tensor& flat, const Layout& layout, const std::vector<at::Tensor>& prompts) {
  std::vector<at::Tensor> copies;
  std::vector<int64_t> places;
  for (size_t j = 0; j < prompts.size(); ++j) {
    const int64_t uses = static_cast<int64_t>(layout.starts[j].size());
    if (uses == 0) continue;
    const int64_t length = prompts[j].size(0), width = prompts[j].size(1);
    copies.push_back(
        prompts[j].to(flat.device()).expand({uses, length, width}).to(flat.scalar_type()).reshape({-1, width}));
    for (const int64_t start : layout.starts[j])
      for (int64_t p = 0; p < length; ++p) places.push_back(start + p);
  }
  if (copies.empty()) return flat;
  at::Tensor index = at::empty({static_cast<int64_t>(places.size())}, at::kLong);
  std::copy(places.begin(), places.end(), index.data_ptr<int64_t>());
  return flat.index_copy(0, index.to(flat.device()), copies.size() == 1 ? copies[0] : at::cat(copies));
}

}  // namespace

void checkTokens(const TokenRows& rows, const std::vector<int64_t>& which, int64_t vocabSize, const std::string& name) {
  for (const int64_t row : which)
    for (const int32_t id : rows.row(row))
      if (id < 0 || id >= vocabSize)
        throw Error("TOKEN_OUT_OF_RANGE", "row " + std::to_string(row) + ": " + name + " token " + std::to_string(id) +
                                              " is not in the model's vocabulary of " + std::to_string(vocabSize) +
                                              " (ids 0 to " + std::to_string(vocabSize - 1) +
                                              "); encode the text with this model's own tokenizer");
}

EncoderInput prefixedRows(Executor& model, const TokenRows& inputs, const std::vector<PrefixedRow>& rows,
                          const std::vector<at::Tensor>& prompts, int64_t bucket) {
  const T5Config& config = model.config();
  for (const at::Tensor& prompt : prompts) checkPrompt(prompt, config.dModel);
  std::vector<int64_t> which;
  for (const PrefixedRow& row : rows) which.push_back(row.input);
  checkTokens(inputs, which, config.vocabSize, "input");
  const Layout layout = layOut(inputs, rows, prompts, bucket);
  const at::Tensor embedded = model.embed(paddedIds(layout, inputs, rows, config).to(model.device()));
  const at::Tensor flat = withPrompts(embedded.reshape({-1, config.dModel}), layout, prompts);
  return {flat.view({layout.rows, layout.positions, config.dModel}), realPositions(layout).to(model.device())};
}

EncoderInput prefixed(Executor& model, const TokenRows& inputs, const std::vector<int64_t>& which,
                      const std::vector<at::Tensor>& prompts, const std::vector<int32_t>& promptOfRow, int64_t bucket) {
  std::vector<PrefixedRow> rows;
  for (const int64_t input : which) rows.push_back({input, promptOfRow[input]});
  return prefixedRows(model, inputs, rows, prompts, bucket);
}

}  // namespace softprompt
