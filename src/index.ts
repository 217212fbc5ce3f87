/**
 * Everything that `import … from 'softprompt'` gives. Begin with {@link T5}, the model, and {@link SoftPrompt}, what is learned.
 *
 * @module API
 * @group Reference
 */

export type { T5Config } from './config.js'
export { type ConvertOptions, convert } from './convert.js'
export type { CreateOptions, NewConfig } from './create.js'
export type { Lengths } from './data/summary.js'
export type { DataFormat, DataSummary, DataWarning, Example, ExampleSource, MappedSource, SetSummary } from './dataset.js'
export type { ClassificationEnsemble, GenerationEnsemble, ScoreEnsemble } from './ensemble.js'
export {
  CancelledError,
  CheckpointError,
  ConfigError,
  DataError,
  ERROR_CODES,
  type ErrorCode,
  FileError,
  HubError,
  InternalError,
  LibTorchError,
  ModelError,
  OptionError,
  PromptError,
  SoftPromptError,
  TokenizerError,
  TuneError,
} from './errors.js'
export type { EvaluateOptions, Evaluation, Prediction } from './evaluate.js'
export type { ExplainedRow, ExplainOptions, Explanation, NearestToken, PromptSimilarity } from './explain.js'
export type { Generated, Generation, Several, Usage } from './generate.js'
export type { Gradient, GradientOptions } from './gradient.js'
export { type Pulled, type PullOptions, type PullProgress, pull } from './hub/pull.js'
export { type Inspection, inspectFile, type ModelMemory } from './inspect.js'
export type { Device, LoadOptions, LoadProgress } from './load.js'
export type { Metric, MetricChoice, MetricDefinition, MetricResult, MetricRow } from './metrics/index.js'
export { type ModelInfo, T5 } from './model.js'
export type { Dtype, NativeFileInfo as FileInfo, NativeWeightsInfo as WeightsInfo } from './native.js'
export type { ObjectiveName } from './objectives/objective.js'
export type { AdaptOptions, AdaptPreset } from './options/adapt.js'
export type { CheckpointOptions, TuneCheckpointOptions } from './options/checkpoint.js'
export type { FinetuneOptions } from './options/finetune.js'
export type { GenerateOptions } from './options/generate.js'
export type { LossOptions } from './options/loss.js'
export type { ModelAdafactorOptions, ModelAdamWOptions, ModelOptimizerOptions, ModelSchedule } from './options/model-optimizer.js'
export type { AdafactorOptions, AdamWOptions, MuonOptions, OptimizerOptions, Schedule } from './options/optimizer.js'
export type { TrainingOptions } from './options/training.js'
export type { Init, NewPrompt, OnDivergence, RunOptions, TaskPrompts, TuneOptions } from './options/tune.js'
export type { Agreement } from './predict.js'
export { type AnyPrompt, type EnsembleOptions, PromptEnsemble, type PromptFormat, type PromptShape, SoftPrompt } from './prompt.js'
export type { Query, QueryRow } from './query.js'
export { type ModelResult, type ReportOptions, writeReport } from './report/write.js'
export type { SaveOptions } from './save.js'
export type { Classification, ClassifyInput, ClassifyOptions, Score, ScoreOptions, ScoreRow } from './score.js'
export type { Piece } from './stream.js'
export type { DocumentUnit, TextFiles, TextFormat, TextRow, TextSource } from './text/source.js'
export type { TextPart, TextSummary } from './text/summary.js'
export type { DecodeOptions, EncodeOptions, Ids, StreamDecoder, Tokenizer } from './tokenizer/index.js'
export type { TrainEndEvent, TrainEvent, TrainStartEvent, TrainStepEvent } from './train/events.js'
export type { TrainPacePoint, TrainReport } from './train/report.js'
export type { TrainingRun } from './train/run.js'
export type {
  AdaptEvent,
  AdaptReport,
  AdaptResult,
  AdaptRun,
  FinetuneEvent,
  FinetuneReport,
  FinetuneResult,
  FinetuneRun,
} from './train/runs.js'
export type { TrainStopReason } from './train/state.js'
export type {
  CheckpointEvent,
  DivergenceEvent,
  EndEvent,
  EvaluationEvent,
  RunEndEvent,
  StartEvent,
  StepEvent,
  TuneEvent,
} from './tune/events.js'
export type { Confusion, TuneOutcome, WrongRow } from './tune/outcome.js'
export type { PresetName } from './tune/presets.js'
export type { EvaluationPoint, KeptPrompt, LossPoint, PacePoint, PlainInit, TuneReport, TuneSettings, Versions } from './tune/report.js'
export type { RunResult, TuneResult, TuneRun } from './tune/run.js'
export type { Divergence, StopReason } from './tune/state.js'
