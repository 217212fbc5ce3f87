/**
 * Every code that an error of this package can carry, with its meaning in a line. A code never changes once released; its prefix decides the class
 * (see `classOfCode`). `docs/errors.md` lists the same codes, which a test checks.
 */
export const ERROR_CODES = {
  CONFIG_MISSING: 'A folder without config.json: it is not a model.',
  CONFIG_INVALID: 'config.json is not JSON, lacks a field, or contradicts itself or the tensors.',
  CONFIG_UNSUPPORTED: 'config.json asks for something that this package does not implement.',

  MODEL_NOT_FOUND: 'No model at that path, and none of that name in the local cache.',
  MODEL_FILE_MISSING: 'The model folder lacks a file that it needs, such as config.json or the weights.',
  MODEL_FILE_INVALID: 'A file of the model (the index of its shards, for example) cannot be understood.',
  MODEL_TENSOR_MISSING: 'The checkpoint lacks a tensor that its config.json calls for.',
  MODEL_TENSOR_SHAPE: 'A tensor of the checkpoint has another shape than its config.json calls for.',
  MODEL_TENSOR_DTYPE: 'A tensor of the checkpoint holds numbers of a kind that weights cannot be read from.',
  MODEL_TENSOR_UNKNOWN: 'The checkpoint holds a tensor that a T5 of its config.json does not have.',
  MODEL_NOT_FINITE: 'A tensor of the checkpoint holds NaN or infinity.',
  MODEL_UNSUPPORTED: 'The file or folder is a model, but not of a kind that this package runs.',
  MODEL_UNTRUSTED: 'A TorchScript file that this package did not write: it is run only with `trust: true`.',
  MODEL_BUSY: 'Too much work waits for the model already; wait for some of it, or send less at once.',
  MODEL_FROZEN: 'The weights of a loaded model never change; a copy of it can be trained.',
  MODEL_DISPOSED: 'The model was disposed of before or while the call ran.',
  SAFETENSORS_INVALID: 'A safetensors file whose header cannot be trusted.',
  SAFETENSORS_TRUNCATED: 'A safetensors file that ends before its tensors do.',
  TORCHSCRIPT_INVALID: 'A .pt file that is damaged, or that lacks what the contract of the module asks for.',
  DEVICE_UNAVAILABLE: 'The device asked for does not exist here, or this LibTorch cannot drive it.',

  TOKENIZER_MISSING: 'Text was given, but the model has no tokenizer: pass token ids, or put its spiece.model beside it.',
  TOKENIZER_INVALID: 'The tokenizer file cannot be read as what its name says.',
  TOKENIZER_UNSUPPORTED: 'The tokenizer file is sound, but of a kind that this package does not implement.',
  TOKEN_OUT_OF_RANGE: 'A token id that the model has no embedding for.',

  PROMPT_INVALID: 'A prompt whose numbers and shape do not fit together.',
  PROMPT_NOT_FINITE: 'A prompt that holds NaN or infinity.',
  PROMPT_WIDTH: 'A prompt of another width than the d_model of the model.',
  PROMPT_MODEL: 'A prompt that was tuned on another model.',
  PROMPT_FILE_INVALID: 'A file that cannot be read as a prompt.',
  PROMPT_FILE_NOT_FOUND: 'No prompt file at that path.',

  DATA_FILE_NOT_FOUND: 'No data file at that path, or one that may not be read.',
  DATA_FILE_INVALID: 'A data file of unknown kind, or one that is not what its name says.',
  DATA_EMPTY: 'A data set without a single row.',
  DATA_ROW_INVALID: 'A row of a data set that is not an example.',
  DATA_TARGET_EMPTY: 'A row of a data set whose target is missing or empty.',
  DATA_TEXT_SHORT: 'A text that does not fill a single window.',
  DATA_TEXT_UNKNOWN: 'A text of which the tokenizer knows no character.',
  DATA_LABEL_UNKNOWN: 'A row of a data set whose target is none of the labels.',
  DATA_METRIC_UNFIT: 'A metric that the targets of a data set cannot be measured by, such as a correlation of words.',

  OPTION_INVALID: 'An option of the wrong type, out of its range, or unknown.',
  OPTION_UNSUPPORTED: 'An option, or a combination of options, that this version does not implement.',

  TUNE_DIVERGED: 'The loss became NaN or infinite; a smaller learning rate usually helps.',
  TUNE_MEMORY: 'The memory does not hold a batch, however small its parts; shorten the inputs or the prompt.',

  CHECKPOINT_INVALID: 'A file that cannot be read as a checkpoint of a tuning run.',
  CHECKPOINT_LOCKED: 'Another run, of this process or another, is writing to the same checkpoint.',
  CHECKPOINT_MISMATCH: 'A checkpoint of another model, data set or set of options than the run that wants to resume from it.',

  FILE_NOT_FOUND: 'No file at that path.',
  FILE_READ: 'A file exists but could not be read.',
  FILE_WRITE: 'A file could not be written; what was there before is untouched.',
  FILE_NOT_WRITABLE: 'An output path that cannot be written to, found before the work began.',

  HUB_NOT_FOUND: 'The hub has no model, revision or needed file of that name.',
  HUB_UNAUTHORIZED: 'The hub refuses the token, or shows the model to nobody without one.',
  HUB_GATED: 'The model is given only to accounts that have accepted its terms.',
  HUB_OFFLINE: 'The model is not in the local cache, and HF_HUB_OFFLINE forbids to fetch it.',
  HUB_NETWORK: 'The hub could not be reached, or a download broke off; what has arrived is kept.',
  HUB_HASH: 'A file that arrived is not the one that the hub announced.',
  HUB_RESPONSE: 'A server that does not answer as a hub does, or a repository that contradicts itself.',

  LIBTORCH_NOT_FOUND: 'No LibTorch on this machine in any of the places that are searched.',
  LIBTORCH_BROKEN: 'A LibTorch was found but could not be opened.',
  LIBTORCH_DOWNLOAD: 'LibTorch could not be downloaded.',
  LIBTORCH_HASH: 'The LibTorch that was downloaded is not the one expected.',
  ADDON_MISSING: 'No native module for this platform: neither a prebuilt nor a local build.',

  CANCELLED: 'The work was cancelled.',
  INTERNAL: 'A failure that this package did not foresee; please report it.',
} as const satisfies Record<string, string>

/** One of the codes of {@link ERROR_CODES}. */
export type ErrorCode = keyof typeof ERROR_CODES
