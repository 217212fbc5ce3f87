export type { Columns, Example, ExampleSource } from './example.js'
export { type ExampleSet, type ReadOptions, readExamples } from './read.js'
export { type DataSet, type TokenizeOptions, tokenizeExamples } from './tokenize.js'
