#include "addon/options.h"

#include <initializer_list>
#include <memory>
#include <type_traits>
#include <utility>

#include "addon/values.h"

namespace softprompt {

namespace {

int64_t integerField(const Napi::Object& object, const char* name) {
  return static_cast<int64_t>(numberField(object, name));
}

bool booleanField(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  expect(object.Env(), value.IsBoolean(), std::string(name) + " as a boolean");
  return value.As<Napi::Boolean>();
}

Napi::Object objectField(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  expect(object.Env(), value.IsObject(), std::string(name) + " as an object");
  return value.As<Napi::Object>();
}

template <typename Enum>
using Choices = std::initializer_list<std::pair<const char*, Enum>>;

template <typename Enum>
Enum choiceField(const Napi::Object& object, const char* name, Choices<Enum> choices) {
  const std::string chosen = textField(object, name);
  for (const auto& [word, value] : choices) {
    if (chosen == word) return value;
  }
  throw Napi::TypeError::New(object.Env(), "The native module knows no " + std::string(name) + " '" + chosen + "'");
}

OptimizerOptions optimizerOptions(const Napi::Object& object) {
  return {
      .kind = choiceField<OptimizerKind>(
          object, "name",
          {{"adafactor", OptimizerKind::kAdafactor}, {"adamw", OptimizerKind::kAdamW}, {"muon", OptimizerKind::kMuon}}),
      .learningRate = numberField(object, "learningRate"),
      .weightDecay = numberField(object, "weightDecay"),
      .schedule = choiceField<Schedule>(object, "schedule",
                                        {{"constant", Schedule::kConstant},
                                         {"linear", Schedule::kLinear},
                                         {"cosine", Schedule::kCosine},
                                         {"inverseSqrt", Schedule::kInverseSqrt}}),
      .warmupSteps = integerField(object, "warmupSteps"),
      .clipThreshold = numberField(object, "clipThreshold"),
      .decayRate = numberField(object, "decayRate"),
      .initialStep = integerField(object, "initialStep"),
      .minDimSizeToFactor = integerField(object, "minDimSizeToFactor"),
      .epsilon = numberField(object, "epsilon"),
      .beta1 = numberField(object, "beta1"),
      .beta2 = numberField(object, "beta2"),
      .momentum = numberField(object, "momentum"),
      .maxGradientNorm = numberField(object, "maxGradientNorm"),
      .averageDecay = numberField(object, "averageDecay"),
  };
}

// The token rows that rows of a call refer to by number, each made into what core wants of it once.
class SharedSequences {
 public:
  explicit SharedSequences(const Napi::Value& value) {
    if (value.IsUndefined()) return;
    expect(value.Env(), value.IsArray(), "sequences as an array of token rows");
    const Napi::Array array = value.As<Napi::Array>();
    for (uint32_t i = 0; i < array.Length(); ++i) rows_.push_back(tokenRows(array.Get(i)));
    words_.resize(rows_.size());
    tries_.resize(rows_.size());
  }

  std::shared_ptr<const TokenSequences> words(const Napi::Object& object, const char* name) {
    const TokenRows* rows = find(object, name);
    if (!rows) return nullptr;
    auto& words = words_[rows - rows_.data()];
    if (words) return words;
    auto made = std::make_shared<TokenSequences>();
    for (int64_t i = 0; i < rows->size(); ++i) made->emplace_back(rows->row(i).begin(), rows->row(i).end());
    return words = made;
  }

  std::shared_ptr<const TokenTrie> trie(const Napi::Object& object, const char* name) {
    const TokenRows* rows = find(object, name);
    if (!rows) return nullptr;
    auto& trie = tries_[rows - rows_.data()];
    if (trie) return trie;
    auto made = std::make_shared<TokenTrie>();
    for (int64_t i = 0; i < rows->size(); ++i) made->add(rows->row(i));
    return trie = made;
  }

 private:
  // Null: the object has no such field.
  const TokenRows* find(const Napi::Object& object, const char* name) const {
    if (object.Get(name).IsUndefined()) return nullptr;
    const int64_t place = integerField(object, name);
    expect(object.Env(), place >= 0 && place < std::ssize(rows_), std::string(name) + " as a place in sequences");
    return &rows_[place];
  }

  std::vector<TokenRows> rows_;
  std::vector<std::shared_ptr<const TokenSequences>> words_;
  std::vector<std::shared_ptr<const TokenTrie>> tries_;
};

// What is left out keeps core's default: most rows set little.
GenerateOptions rowOptions(const Napi::Object& object, SharedSequences& sequences) {
  GenerateOptions options;
  const auto has = [&](const char* name) { return !object.Get(name).IsUndefined(); };
  const auto setInteger = [&](const char* name, auto& field) {
    if (has(name)) field = static_cast<std::remove_reference_t<decltype(field)>>(integerField(object, name));
  };
  const auto setNumber = [&](const char* name, double& field) {
    if (has(name)) field = numberField(object, name);
  };
  setInteger("maxNewTokens", options.maxNewTokens);
  setInteger("minNewTokens", options.minNewTokens);
  setInteger("numBeams", options.numBeams);
  setNumber("lengthPenalty", options.lengthPenalty);
  if (has("earlyStopping"))
    options.earlyStopping = choiceField<EarlyStopping>(object, "earlyStopping",
                                                       {{"atOnce", EarlyStopping::kAtOnce},
                                                        {"heuristic", EarlyStopping::kHeuristic},
                                                        {"never", EarlyStopping::kNever}});
  setInteger("numReturnSequences", options.numReturnSequences);
  if (has("doSample")) options.doSample = booleanField(object, "doSample");
  setNumber("temperature", options.temperature);
  setInteger("topK", options.topK);
  setNumber("topP", options.topP);
  setInteger("seed", options.seed);
  setInteger("place", options.place);
  setNumber("repetitionPenalty", options.repetitionPenalty);
  setInteger("noRepeatNgramSize", options.noRepeatNgramSize);
  options.badWords = sequences.words(object, "badWords");
  options.labels = sequences.trie(object, "labels");
  return options;
}

}  // namespace

double numberField(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  expect(object.Env(), value.IsNumber(), std::string(name) + " as a number");
  return value.As<Napi::Number>().DoubleValue();
}

std::string text(const Napi::Value& value, const char* what) {
  expect(value.Env(), value.IsString(), std::string(what) + " as a string");
  return value.As<Napi::String>().Utf8Value();
}

std::string textField(const Napi::Object& object, const char* name) {
  return text(object.Get(name), name);
}

std::vector<GenerateOptions> generateOptions(const Napi::Value& value, const Napi::Value& sequences) {
  expect(value.Env(), value.IsArray(), "generate's options as an array");
  const Napi::Array array = value.As<Napi::Array>();
  SharedSequences shared(sequences);
  std::vector<GenerateOptions> options;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::Value row = array.Get(i);
    expect(value.Env(), row.IsObject(), "a row's options as an object");
    options.push_back(rowOptions(row.As<Napi::Object>(), shared));
  }
  return options;
}

LossOptions lossOptions(const Napi::Value& value) {
  expect(value.Env(), value.IsObject(), "loss as an object");
  const Napi::Object object = value.As<Napi::Object>();
  return {
      .reduction = choiceField<Reduction>(object, "reduction", {{"sum", Reduction::kSum}, {"mean", Reduction::kMean}}),
      .zLoss = numberField(object, "zLoss"),
      .labelSmoothing = numberField(object, "labelSmoothing"),
  };
}

TuneOptions tuneOptions(const Napi::Object& options) {
  return {
      .steps = integerField(options, "steps"),
      .batchSize = integerField(options, "batchSize"),
      .microBatchSize = integerField(options, "microBatchSize"),
      .shuffle = booleanField(options, "shuffle"),
      .dropout = numberField(options, "dropout"),
      .seed = static_cast<uint64_t>(integerField(options, "seed")),
      .loss = lossOptions(options.Get("loss")),
      .optimizer = optimizerOptions(objectField(options, "optimizer")),
      .fingerprint = {},  // the model's to say
  };
}

namespace {

RunOptions oneRun(const Napi::Object& run) {
  return {.init = initOptions(run),
          .seed = static_cast<uint64_t>(integerField(run, "seed")),
          .learningRate = numberField(run, "learningRate")};
}

}  // namespace

std::optional<RunOptions> sharedOptions(const Napi::Object& options) {
  const Napi::Value shared = options.Get("shared");
  if (shared.IsUndefined()) return std::nullopt;
  return oneRun(shared.ToObject());
}

TrainingSet trainingSet(const Napi::Object& options) {
  TrainingSet set{tokenRows(options.Get("inputs")), tokenRows(options.Get("targets")), {}};
  const Napi::Value runs = options.Get("runOfRow");
  if (runs.IsUndefined()) return set;
  expect(options.Env(), runs.IsTypedArray() && runs.As<Napi::TypedArray>().TypedArrayType() == napi_int32_array,
         "runOfRow as an Int32Array");
  const Napi::Int32Array array = runs.As<Napi::Int32Array>();
  expect(options.Env(), static_cast<int64_t>(array.ElementLength()) == set.inputs.size(), "a run a row");
  set.runOfRow.assign(array.Data(), array.Data() + array.ElementLength());
  return set;
}

std::vector<RunOptions> runOptions(const Napi::Object& options) {
  const Napi::Value value = options.Get("runs");
  expect(options.Env(), value.IsArray() && value.As<Napi::Array>().Length() > 0, "runs as an array with an entry");
  const Napi::Array array = value.As<Napi::Array>();
  std::vector<RunOptions> runs;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    runs.push_back(oneRun(array.Get(i).ToObject()));
  }
  return runs;
}

InitOptions initOptions(const Napi::Object& options) {
  const Napi::Object init = objectField(options, "init");
  InitOptions result;
  result.length = integerField(options, "length");
  result.kind = choiceField<InitKind>(init, "kind",
                                      {{"vocabulary", InitKind::kVocabulary},
                                       {"uniform", InitKind::kUniform},
                                       {"labels", InitKind::kLabels},
                                       {"text", InitKind::kText},
                                       {"prompt", InitKind::kPrompt}});
  if (result.kind == InitKind::kUniform) {
    result.low = numberField(init, "low");
    result.high = numberField(init, "high");
  } else {
    result.sampledFrom = integerField(init, "sampledFrom");
  }
  if (result.kind == InitKind::kLabels || result.kind == InitKind::kText) result.labels = tokenRows(init.Get("labels"));
  if (result.kind == InitKind::kPrompt) result.prompt = promptRows(init.Get("prompt"));
  return result;
}

ModelTrainerOptions modelTrainerOptions(const Napi::Object& options) {
  const Napi::Object optimizer = objectField(options, "optimizer");
  return {
      .steps = integerField(options, "steps"),
      .microBatchSize = integerField(options, "microBatchSize"),
      .dropout = numberField(options, "dropout"),
      .seed = static_cast<uint64_t>(integerField(options, "seed")),
      .loss = lossOptions(options.Get("loss")),
      .rule = {.optimizer = optimizerOptions(optimizer),
               .parameterScaling = booleanField(optimizer, "parameterScaling")},
  };
}

TrainableOptions trainableOptions(const Napi::Object& options) {
  return {.dtype = textField(options, "dtype"), .device = textField(options, "device")};
}

LoadOptions loadOptions(const Napi::Object& options) {
  return {
      .path = textField(options, "path"),
      .device = textField(options, "device"),
      .dtype = textField(options, "dtype"),
      .trust = booleanField(options, "trust"),
      .onProgress = {},
  };
}

}  // namespace softprompt
