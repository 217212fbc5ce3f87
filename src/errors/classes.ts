import { nameClass, SoftPromptError } from './base.js'

/** `CONFIG_*`: a model's config.json. */
export class ConfigError extends SoftPromptError {
  static override readonly className = 'ConfigError'
}

/** `MODEL_*`, `SAFETENSORS_*`, `TORCHSCRIPT_*`, `DEVICE_*`: a model's files, and where it runs. */
export class ModelError extends SoftPromptError {
  static override readonly className = 'ModelError'
}

/** `TOKENIZER_*`, `TOKEN_*`: text to token ids and back. */
export class TokenizerError extends SoftPromptError {
  static override readonly className = 'TokenizerError'
}

/** `PROMPT_*`: a soft prompt or its file. */
export class PromptError extends SoftPromptError {
  static override readonly className = 'PromptError'
}

/** `DATA_*`: a data set, its file or one of its rows. */
export class DataError extends SoftPromptError {
  static override readonly className = 'DataError'
}

/** `OPTION_*`: an option of a call or of the command line. */
export class OptionError extends SoftPromptError {
  static override readonly className = 'OptionError'
}

/** `TUNE_*`: what went wrong in training. */
export class TuneError extends SoftPromptError {
  static override readonly className = 'TuneError'
}

/** `CHECKPOINT_*`: the file that a tuning run resumes from. */
export class CheckpointError extends SoftPromptError {
  static override readonly className = 'CheckpointError'
}

/** `FILE_*`: reading or writing a file. */
export class FileError extends SoftPromptError {
  static override readonly className = 'FileError'
}

/** `HUB_*`: fetching a model from the Hugging Face hub. */
export class HubError extends SoftPromptError {
  static override readonly className = 'HubError'
}

/** `LIBTORCH_*`, `ADDON_*`: the native parts that the package stands on. */
export class LibTorchError extends SoftPromptError {
  static override readonly className = 'LibTorchError'
}

/** `CANCELLED`: work that was stopped on request and had no reason of its own to reject with. */
export class CancelledError extends SoftPromptError {
  static override readonly className = 'CancelledError'
}

/** `INTERNAL`: a fault of this package. */
export class InternalError extends SoftPromptError {
  static override readonly className = 'InternalError'
}

const CLASS_OF_PREFIX: Record<string, typeof SoftPromptError> = {
  CONFIG: ConfigError,
  MODEL: ModelError,
  SAFETENSORS: ModelError,
  TORCHSCRIPT: ModelError,
  DEVICE: ModelError,
  TOKENIZER: TokenizerError,
  TOKEN: TokenizerError,
  PROMPT: PromptError,
  DATA: DataError,
  OPTION: OptionError,
  TUNE: TuneError,
  CHECKPOINT: CheckpointError,
  FILE: FileError,
  HUB: HubError,
  LIBTORCH: LibTorchError,
  ADDON: LibTorchError,
  CANCELLED: CancelledError,
  INTERNAL: InternalError,
}

for (const errorClass of new Set(Object.values(CLASS_OF_PREFIX))) nameClass(errorClass)

/** The class that a code's first word stands for. */
export function classOfCode(code: string): typeof SoftPromptError {
  return CLASS_OF_PREFIX[code.split('_', 1)[0]!] ?? InternalError
}
