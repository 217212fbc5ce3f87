export { SoftPromptError } from './errors/base.js'
export {
  CancelledError,
  CheckpointError,
  ConfigError,
  classOfCode,
  DataError,
  FileError,
  HubError,
  InternalError,
  LibTorchError,
  ModelError,
  OptionError,
  PromptError,
  TokenizerError,
  TuneError,
} from './errors/classes.js'
export { ERROR_CODES, type ErrorCode } from './errors/codes.js'
export { type CallSite, captureCall, errorFromNative } from './errors/native.js'
