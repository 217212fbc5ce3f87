// The fast executor's decoding steps equal the plain one's, whatever becomes of the lanes; and a lane's answer is the
// same to the bit in any company.
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <random>

#include "check.h"
#include "core/runtime/random.h"
#include "fixture.h"

using fixture::kFamilies;
using softprompt::Encoded;
using softprompt::Executor;
using softprompt::Pass;

namespace {

softprompt::LoadedModel plain(const std::string& family, const std::string& dtype = "float32") {
  setenv("SOFTPROMPT_PLAIN", "1", 1);
  softprompt::LoadedModel model = fixture::load(fixture::folder(family), dtype);
  unsetenv("SOFTPROMPT_PLAIN");
  return model;
}

// LibTorch's products of a few bfloat16 numbers take minutes on a busy machine when threads share them.
struct OneThread {
  OneThread() { at::set_num_threads(1); }
  ~OneThread() { at::set_num_threads(before); }
  const int before = at::get_num_threads();
};

// A walk of 40 tokens over the fixture's rows behind their prompt: random ids, and lanes that are copied, moved and
// dropped as beams and finished rows do. The logits of every step, end to end.
at::Tensor walk(Executor& model, const fixture::Answers& answers, const Encoded& encoded) {
  const at::NoGradGuard noGrad;
  softprompt::NeverYields never;
  Pass pass{never};
  const auto cache = model.startCache(encoded, pass);
  std::mt19937 random(5);
  std::vector<int64_t> rows{0, 1, 2, 3};  // of each lane
  std::vector<at::Tensor> logits;
  for (int step = 0; step < 40; ++step) {
    std::vector<int64_t> ids;
    for (size_t lane = 0; lane < rows.size(); ++lane) ids.push_back(random() % answers.config.vocabSize);
    logits.push_back(model.logits(model.step(at::tensor(ids, at::kLong), *cache, pass)).to(at::kFloat));
    std::vector<int64_t> from;
    if (step % 3 == 0) {  // as beams: another lane of the same row
      for (size_t lane = 0; lane < rows.size(); ++lane) {
        int64_t other = 0;
        do {
          other = random() % rows.size();
        } while (rows[other] != rows[lane]);
        from.push_back(other);
      }
      cache->reorder(at::tensor(from, at::kLong));
    } else if (step % 7 == 1) {  // more lanes, or fewer
      for (size_t i = 0; i < 1 + random() % 9; ++i) from.push_back(random() % rows.size());
      cache->select(at::tensor(from, at::kLong));
      std::vector<int64_t> chosen;
      for (const int64_t lane : from) chosen.push_back(rows[lane]);
      rows = chosen;
    }
  }
  return at::cat(logits, 0);
}

Encoded encodedBy(Executor& model, const fixture::Answers& answers) {
  softprompt::NeverYields never;
  Pass pass{never};
  const at::NoGradGuard noGrad;
  return fixture::encode(model, answers, answers["prompt"], pass);
}

}  // namespace

TEST(stepEqualsPlain) {
  for (const char* family : kFamilies) {
    const fixture::Answers answers(family);
    const auto reference = plain(family), fast = fixture::load(fixture::folder(family));
    const at::Tensor expected = walk(*reference.executor, answers, encodedBy(*reference.executor, answers));
    const at::Tensor got = walk(*fast.executor, answers, encodedBy(*fast.executor, answers));
    CHECK(((got - expected).abs().max() / expected.abs().max()).item<double>() < 1e-4);
  }
}

// Within 2e-2 of float32; on the fixtures that amplify rounding, nearer than the plain executor.
TEST(stepBfloat16IsNearFloat32) {
  const OneThread oneThread;
  for (const char* family : kFamilies) {
    const fixture::Answers answers(family);
    const auto logitsOf = [&](const softprompt::LoadedModel& model) {
      return walk(*model.executor, answers, encodedBy(*model.executor, answers));
    };
    const at::Tensor exact = logitsOf(plain(family));
    const auto error = [&](const at::Tensor& logits) {
      return ((logits - exact).norm() / exact.norm()).item<double>();
    };
    const double got = error(logitsOf(fixture::load(fixture::folder(family), "bfloat16")));
    const double reference = error(logitsOf(plain(family, "bfloat16")));
    CHECK(got < std::max(2e-2, reference));
  }
}

TEST(stepOfARowIsTheSameAlone) {
  for (const char* dtype : {"float32", "bfloat16"}) {
    const fixture::Answers answers("t5-v1.1");
    const auto loaded = fixture::load(fixture::folder("t5-v1.1"), dtype);
    Executor& model = *loaded.executor;
    const at::NoGradGuard noGrad;
    softprompt::NeverYields never;
    Pass pass{never};
    const Encoded all = encodedBy(model, answers);
    const at::Tensor ids = at::randint(answers.config.vocabSize, {20, 4}, at::TensorOptions(at::kLong));
    const auto decoded = [&](int64_t first, int64_t rows) {
      const auto cache = model.startCache({all.hidden.narrow(0, first, rows), all.mask.narrow(0, first, rows)}, pass);
      std::vector<at::Tensor> logits;
      for (int64_t t = 0; t < 20; ++t)
        logits.push_back(model.logits(model.step(ids[t].narrow(0, first, rows).contiguous(), *cache, pass)));
      return at::stack(logits);
    };
    const at::Tensor together = decoded(0, 4);
    for (int64_t row = 0; row < 4; ++row) CHECK(decoded(row, 1).equal(together.narrow(1, row, 1)));
  }
}

// Lanes that join others in the middle, and blocks of lanes that left being used again.
TEST(stepOfARowIsTheSameWhereItJoinsOthers) {
  for (const char* dtype : {"float32", "bfloat16"}) {
    const fixture::Answers answers("t5-v1.1");
    const auto loaded = fixture::load(fixture::folder("t5-v1.1"), dtype);
    Executor& model = *loaded.executor;
    const at::NoGradGuard noGrad;
    softprompt::NeverYields never;
    Pass pass{never};
    const Encoded all = encodedBy(model, answers);
    const at::Tensor ids = at::randint(answers.config.vocabSize, {60, 4}, at::TensorOptions(at::kLong));
    const auto start = [&](int64_t row) {
      return model.startCache({all.hidden.narrow(0, row, 1), all.mask.narrow(0, row, 1)}, pass);
    };
    // A row's logits of `count` steps, alone; its own step t reads ids[t][row].
    const auto alone = [&](int64_t row, int64_t count) {
      const auto cache = start(row);
      std::vector<at::Tensor> logits;
      for (int64_t t = 0; t < count; ++t)
        logits.push_back(model.logits(model.step(ids[t].narrow(0, row, 1).contiguous(), *cache, pass)));
      return at::cat(logits, 0);
    };
    // Row r comes at step 7 r; row 1 leaves at step 30, and comes anew at 33.
    const auto cache = start(0);
    CHECK(cache->takesMore());
    struct Lane {
      int64_t row, length;
      std::vector<at::Tensor> logits;
    };
    std::vector<Lane> lanes{{0, 0, {}}}, gone;
    for (int64_t t = 0; t < 50; ++t) {
      const int64_t comes = t == 33 ? 1 : t > 0 && t % 7 == 0 && t / 7 < 4 ? t / 7 : -1;
      if (comes >= 0) {
        cache->append(*start(comes));
        lanes.push_back({comes, 0, {}});
      }
      if (t == 30) {
        gone.push_back(lanes[1]);
        lanes.erase(lanes.begin() + 1);
        cache->select(at::tensor(std::vector<int64_t>{0, 2, 3}, at::kLong));
      }
      std::vector<int64_t> read;
      for (Lane& lane : lanes) read.push_back(ids[lane.length++][lane.row].item<int64_t>());
      const at::Tensor logits = model.logits(model.step(at::tensor(read, at::kLong), *cache, pass));
      for (size_t i = 0; i < lanes.size(); ++i) lanes[i].logits.push_back(logits.narrow(0, i, 1));
    }
    lanes.insert(lanes.end(), gone.begin(), gone.end());
    CHECK_EQ(lanes.size(), size_t{5});
    for (const Lane& lane : lanes) CHECK(at::cat(lane.logits, 0).equal(alone(lane.row, lane.length)));
  }
}

TEST(stepLogProbsAreThoseOfTheLogits) {
  for (const char* dtype : {"float32", "bfloat16"}) {
    const auto loaded = fixture::load(fixture::folder("t5-v1.1"), dtype);
    Executor& model = *loaded.executor;
    const int64_t words = model.config().vocabSize;
    const at::Tensor hidden =
        softprompt::CounterRandom(3, 1).uniformTensor({150, model.config().dModel}, -1, 1).to(model.dtype());
    std::vector<softprompt::Pick> picks;
    for (int64_t row = 0; row < 150; row += 3)
      for (const int64_t token : {row, row + 1}) picks.push_back({row, token % words});
    const std::vector<float> got = model.logProbs(hidden, picks);
    CHECK_EQ(got.size(), picks.size());
    std::vector<at::Tensor> parts;
    for (int64_t row = 0; row < 150; row += 50) parts.push_back(model.logits(hidden.narrow(0, row, 50)));
    const at::Tensor expected = at::log_softmax(at::cat(parts, 0), 1);
    for (size_t i = 0; i < picks.size(); ++i)
      CHECK(std::abs(got[i] - expected[picks[i].row][picks[i].token].item<float>()) < 1e-5);
  }
}
