import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export const FAMILIES = ['t5-v1.0', 't5-v1.1', 'flan-t5', 'mt5', 'byt5', 'umt5', 'pile-t5', 'ul2', 'madlad400'] as const

/** Those whose random networks do not amplify rounding, so that bfloat16 says something. */
export const CALM = FAMILIES.slice(2)

/** Those with answers for very long and very short rows and prompts. */
export const WITH_EDGES = ['flan-t5', 'umt5'] as const

export const folderOf = (family: string): string => fileURLToPath(new URL(`../fixtures/${family}`, import.meta.url))

interface Tensor {
  shape: number[]
  data: Float32Array | number[]
}

/** What Hugging Face answers for a checkpoint of test/fixtures (its README lists the tensors). */
export class Answers {
  readonly #tensors = new Map<string, Tensor>()
  readonly eosTokenId: number

  constructor(family: string, file = 'answers') {
    this.eosTokenId = JSON.parse(readFileSync(`${folderOf(family)}/config.json`, 'utf8')).eos_token_id
    const bytes = readFileSync(`${folderOf(family)}/${file}.safetensors`)
    const start = 8 + Number(bytes.readBigUInt64LE(0))
    const header: Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }> = JSON.parse(
      bytes.toString('utf8', 8, start),
    )
    for (const [name, { dtype, shape, data_offsets }] of Object.entries(header)) {
      if (name === '__metadata__') continue
      const { buffer } = Uint8Array.from(bytes.subarray(start + data_offsets[0], start + data_offsets[1]))
      const data = dtype === 'F32' ? new Float32Array(buffer) : Array.from(new BigInt64Array(buffer), Number)
      this.#tensors.set(name, { shape, data })
    }
  }

  floats(name: string): Float32Array {
    return this.#tensor(name).data as Float32Array
  }

  shape(name: string): number[] {
    return this.#tensor(name).shape
  }

  /** The rows of a matrix of ids. */
  ids(name: string): number[][] {
    const { shape, data } = this.#tensor(name)
    const [rows, columns] = shape as [number, number]
    return Array.from({ length: rows }, (_, row) => Array.from(data.slice(row * columns, (row + 1) * columns)))
  }

  /** Rows of input ids, without padding. */
  get inputs(): number[][] {
    const mask = this.ids('attention_mask')
    return this.ids('input_ids').map((row, i) => row.filter((_, j) => mask[i]?.[j] === 1))
  }

  get targets(): number[][] {
    return this.ids('labels').map((row) => row.filter((id) => id >= 0))
  }

  /** Ids of `name` ('plain' or 'prompted') without the start token, up to and with </s>: greedy ones, or the best of four beams. */
  generated(name: string, how: 'greedy' | 'beams' = 'greedy'): number[][] {
    return this.ids(`${name}.${how}`).map((row) => {
      const end = row.indexOf(this.eosTokenId)
      return row.slice(1, end < 0 ? row.length : end + 1)
    })
  }

  /** A soft prompt, row-major, and its shape. */
  prompt(name = 'prompt'): { data: Float32Array; shape: { rows: number; dModel: number } } {
    const [rows, dModel] = this.shape(name) as [number, number]
    return { data: this.floats(name), shape: { rows, dModel } }
  }

  /** The log-probabilities of each row's target tokens, from the logits of `name`. */
  logProbs(name: string): number[][] {
    const [, positions, vocabulary] = this.shape(`${name}.logits`) as [number, number, number]
    const logits = this.floats(`${name}.logits`)
    return this.targets.map((target, row) =>
      target.map((id, t) => {
        const at = (row * positions + t) * vocabulary
        return logSoftmax(logits.subarray(at, at + vocabulary), id)
      }),
    )
  }

  #tensor(name: string): Tensor {
    const tensor = this.#tensors.get(name)
    if (!tensor) throw new Error(`The fixture has no tensor ${name}`)
    return tensor
  }
}

function logSoftmax(logits: Float32Array, id: number): number {
  const largest = Math.max(...logits)
  const total = logits.reduce((sum, logit) => sum + Math.exp(logit - largest), 0)
  return (logits[id] as number) - largest - Math.log(total)
}

/** The largest difference, relative to the largest expected value (or 1). */
export function relativeDifference(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (found.length !== expected.length) return Number.POSITIVE_INFINITY
  const differences = Array.from(expected, (value, i) => Math.abs(value - (found[i] as number)))
  if (differences.some(Number.isNaN)) return Number.POSITIVE_INFINITY
  return Math.max(...differences) / Math.max(1, ...Array.from(expected, Math.abs))
}
