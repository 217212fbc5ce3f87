#include "addon/model.h"

#include <string>
#include <utility>

#include "addon/environment.h"
#include "addon/events.h"
#include "addon/model_info.h"
#include "addon/options.h"
#include "addon/tuner.h"
#include "addon/values.h"
#include "addon/work.h"
#include "core/generate/scheduler.h"
#include "core/generate/score.h"
#include "core/prompt/initialise.h"
#include "core/prompt/nearest.h"
#include "core/runtime/tensor_io.h"
#include "core/t5/digest.h"

namespace softprompt {

namespace {

struct Token {
  int32_t row;
  int32_t token;
};

void deliverTokens(Napi::Env env, Jobs& jobs, JobId id, const std::vector<Token>& tokens) {
  std::vector<int32_t> rows, ids;
  for (const Token& one : tokens) {
    rows.push_back(one.row);
    ids.push_back(one.token);
  }
  jobs.call(env, id, {intArray(env, rows), intArray(env, ids)});
}

// A call makes at most rows x maxNewTokens of them: none is ever dropped.
constexpr size_t kAllTokens = static_cast<size_t>(-1);

// An array of each row's generations.
Napi::Array answersArray(Napi::Env env, const GenerateRequest::Answers& answers) {
  Napi::Array rows = Napi::Array::New(env, answers.size());
  for (uint32_t row = 0; row < answers.size(); ++row) {
    Napi::Array generations = Napi::Array::New(env, answers[row].size());
    for (uint32_t i = 0; i < answers[row].size(); ++i) generations.Set(i, generationObject(env, answers[row][i]));
    rows.Set(row, generations);
  }
  return rows;
}

Napi::Function optionalFunction(const Napi::Value& value) {
  return value.IsFunction() ? value.As<Napi::Function>() : Napi::Function();
}

}  // namespace

Napi::Function Model::define(Napi::Env env) {
  return DefineClass(env, "NativeModel",
                     {
                         InstanceMethod<&Model::generate>("generate"),
                         InstanceMethod<&Model::score>("score"),
                         InstanceMethod<&Model::classify>("classify"),
                         InstanceMethod<&Model::gradient>("gradient"),
                         InstanceMethod<&Model::nearest>("nearest"),
                         InstanceMethod<&Model::tuner>("tuner"),
                         InstanceMethod<&Model::trainable>("trainable"),
                         InstanceMethod<&Model::trainer>("trainer"),
                         InstanceMethod<&Model::fingerprint>("fingerprint"),
                         InstanceMethod<&Model::saveWeights>("saveWeights"),
                         InstanceMethod<&Model::digest>("digest"),
                         InstanceMethod<&Model::dispose>("dispose"),
                     });
}

Model::Model(const Napi::CallbackInfo& info)
    : ObjectWrap(info), session_(std::exchange(Environment::of(info.Env()).constructing, nullptr)) {
  expect(info.Env(), session_ != nullptr, "models to be made by loadModel()");
}

Napi::Value Model::load(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Environment& environment = Environment::of(env);
  const Napi::Object given = info[0].ToObject();
  LoadOptions options = loadOptions(given);
  const auto threads = static_cast<int>(numberField(given, "threads"));

  const JobId id = environment.jobs.open(env, {}, optionalFunction(info[1]));
  const auto progress =
      std::make_shared<Events<double>>(environment, id, 1,  // the latest is enough
                                       [](Napi::Env e, Jobs& jobs, JobId job, const std::vector<double>& fractions) {
                                         jobs.call(e, job, {Napi::Number::New(e, fractions.back())});
                                       });
  options.onProgress = [progress](double fraction) { progress->push(fraction); };

  const SessionHandle handle = environment.openSession(threads);
  const auto loaded = std::make_shared<ModelInfo>();
  auto step = [options, loaded, &session = *handle](YieldPoint& yieldPoint) {
    session.model = loadModel(options, yieldPoint);
    *loaded = infoOf(session);
    return false;
  };
  auto onSettled = [&environment, id, handle, loaded](std::exception_ptr failure) {
    environment.settle(id, std::move(failure),
                       [handle, loaded](Napi::Env e) { return modelObject(e, handle, *loaded); });
  };
  return launch(env, id, handle->thread,
                std::make_shared<FunctionTask>(TaskKind::kWork, std::move(step), std::move(onSettled)));
}

Napi::Value Model::generate(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Environment& environment = Environment::of(env);
  GenerateRequest::Call call{
      .rows = promptedRows(info[0]), .options = generateOptions(info[1], info[3]), .onToken = {}};
  expect(env, static_cast<int64_t>(call.options.size()) == call.rows.inputs.size(), "one set of options an input");
  const Napi::Function onTokens = optionalFunction(info[2]);

  const JobId id = environment.jobs.open(env, Value(), onTokens);
  if (!onTokens.IsEmpty()) {
    const auto tokens = std::make_shared<Events<Token>>(environment, id, kAllTokens, deliverTokens);
    call.onToken = [tokens](int64_t row, int32_t token) { tokens->push({static_cast<int32_t>(row), token}); };
  }
  auto onDone = [&environment, id](std::exception_ptr failure, GenerateRequest::Answers answers) {
    environment.settle(id, std::move(failure),
                       [answers = std::move(answers)](Napi::Env e) -> Napi::Value { return answersArray(e, answers); });
  };
  auto request = std::make_shared<GenerateRequest>(session_->model.executor, std::move(call), std::move(onDone));
  const std::weak_ptr<GenerateRequest> known = request;
  Napi::Object job = launch(env, id, session_->thread, std::move(request));
  job.Set("finishRow", Napi::Function::New(env, [known](const Napi::CallbackInfo& of) {
            if (const auto running = known.lock()) running->finishRow(of[0].ToNumber().Int64Value());
          }));
  return job;
}

Napi::Value Model::score(const Napi::CallbackInfo& info) {
  using Scores = std::vector<std::vector<float>>;
  auto step = [rows = promptedRows(info[0]), targets = tokenRows(info[1]), scoring = std::shared_ptr<Scoring>(),
               &session = *session_](YieldPoint& yieldPoint, Scores& scores) mutable {
    if (!scoring) scoring = std::make_shared<Scoring>(*session.model.executor, std::move(rows), std::move(targets));
    if (scoring->step(yieldPoint)) return true;
    scores = std::move(scoring->answers);
    return false;
  };
  const auto toJs = [](Napi::Env env, const Scores& scores) -> Napi::Value {
    Napi::Array array = Napi::Array::New(env, scores.size());
    for (uint32_t i = 0; i < scores.size(); ++i) array.Set(i, floatArray(env, scores[i]));
    return array;
  };
  return startSteps<Scores>({info.Env(), Value(), {}}, session_->thread, TaskKind::kRequest, std::move(step), toJs);
}

Napi::Value Model::classify(const Napi::CallbackInfo& info) {
  using LogProbs = std::vector<float>;
  auto step = [rows = promptedRows(info[0]), labels = tokenRows(info[1]), classifying = std::shared_ptr<Classifying>(),
               &session = *session_](YieldPoint& yieldPoint, LogProbs& logProbs) mutable {
    if (!classifying)
      classifying = std::make_shared<Classifying>(*session.model.executor, std::move(rows), std::move(labels));
    if (classifying->step(yieldPoint)) return true;
    logProbs = floatsOf(classifying->answers);
    return false;
  };
  const auto toJs = [](Napi::Env env, const LogProbs& logProbs) -> Napi::Value { return floatArray(env, logProbs); };
  return startSteps<LogProbs>({info.Env(), Value(), {}}, session_->thread, TaskKind::kRequest, std::move(step), toJs);
}

Napi::Value Model::gradient(const Napi::CallbackInfo& info) {
  struct Gradient {
    double loss = 0;
    std::vector<float> values;
  };
  auto work = [data = TrainingSet{tokenRows(info[0]), tokenRows(info[1]), {}}, prompt = promptRows(info[2]),
               loss = lossOptions(info[3]), &session = *session_](YieldPoint& yieldPoint) {
    const GradientResult result = promptGradient(*session.model.executor, data, prompt, loss, yieldPoint);
    return Gradient{result.loss, floatsOf(result.gradient)};
  };
  const auto toJs = [](Napi::Env env, const Gradient& gradient) -> Napi::Value {
    Napi::Object object = Napi::Object::New(env);
    object.Set("loss", gradient.loss);
    object.Set("gradient", floatArray(env, gradient.values));
    return object;
  };
  return startJob({info.Env(), Value(), {}}, session_->thread, TaskKind::kWork, std::move(work), toJs);
}

Napi::Value Model::nearest(const Napi::CallbackInfo& info) {
  struct Nearest {
    std::vector<int32_t> ids;
    std::vector<float> similarity;
  };
  auto work = [prompt = promptRows(info[0]), count = info[1].ToNumber().Int64Value(),
               &session = *session_](YieldPoint& yieldPoint) {
    const NearestTokens nearest = nearestTokens(*session.model.executor, prompt, count, yieldPoint);
    return Nearest{intsOf(nearest.ids), floatsOf(nearest.similarity)};
  };
  const auto toJs = [](Napi::Env env, const Nearest& nearest) -> Napi::Value {
    Napi::Object object = Napi::Object::New(env);
    object.Set("ids", intArray(env, nearest.ids));
    object.Set("similarity", floatArray(env, nearest.similarity));
    return object;
  };
  return startJob({info.Env(), Value(), {}}, session_->thread, TaskKind::kWork, std::move(work), toJs);
}

Napi::Value Model::tuner(const Napi::CallbackInfo& info) {
  const Napi::Object given = info[0].ToObject();
  auto work = [data = trainingSet(given), runs = runOptions(given), shared = sharedOptions(given),
               options = tuneOptions(given), &session = *session_](YieldPoint&) mutable {
    Executor& executor = *session.model.executor;
    const auto startOf = [&](const RunOptions& run) {
      return RunStart{initialPrompt(executor, run.init, run.seed), run.seed, run.learningRate};
    };
    std::vector<RunStart> starts;
    for (const RunOptions& run : runs) starts.push_back(startOf(run));
    options.fingerprint = session.model.fingerprint;
    const RunId id = ++session.lastRun;
    session.tuners[id] =
        std::make_unique<Tuner>(executor, std::move(data), starts, options, shared ? startOf(*shared) : RunStart{});
    return id;
  };
  const auto toJs = [session = session_](Napi::Env env, RunId id) -> Napi::Value {
    return TunerObject::make(env, session, id);
  };
  return startJob({info.Env(), Value(), {}}, session_->thread, TaskKind::kWork, std::move(work), toJs);
}

Napi::Value Model::digest(const Napi::CallbackInfo& info) {
  auto work = [&session = *session_](YieldPoint& yieldPoint) { return digestOf(*session.model.executor, yieldPoint); };
  return startJob({info.Env(), Value(), {}}, session_->thread, TaskKind::kWork, std::move(work), toText);
}

Napi::Value Model::dispose(const Napi::CallbackInfo& info) {
  Jobs& jobs = Environment::of(info.Env()).jobs;
  const JobId id = jobs.open(info.Env(), Value(), {});
  const Napi::Promise promise = jobs.promise(id);
  if (session_->ended) {
    jobs.settle(info.Env(), id, nullptr, [](Napi::Env env) { return env.Undefined(); });
  } else {
    session_->disposals.push_back(id);
    session_->close();
  }
  return promise;
}

}  // namespace softprompt
