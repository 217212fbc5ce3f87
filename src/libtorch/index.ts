export { type FindOptions, type FoundLibtorch, findLibtorch, type LibtorchPlace, type LibtorchSearch, type LibtorchSource } from './find.js'
export { loadNative } from './load.js'
export { LIBTORCH_VERSION } from './release.js'
