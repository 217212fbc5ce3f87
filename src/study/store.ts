import { open, readFile } from 'node:fs/promises'
import { FileError } from '../errors.js'
import { isObject } from '../options/check.js'
import { type Cell, type CellResult, cellKey } from './cells.js'

/** A line of the file. */
interface Kept {
  key: string
  cell: Cell
  result: CellResult
}

/** Results of cells, a JSON line each, in a file that only grows: a study that was stopped goes on, and measures nothing twice. */
export class ResultStore {
  private constructor(
    readonly path: string,
    private readonly kept: Map<string, CellResult>,
    private readonly settings: object,
  ) {}

  /** `settings`: what all results depend on. Rejects with FILE_READ. */
  static async open(path: string, settings: object): Promise<ResultStore> {
    return new ResultStore(path, new Map((await linesOf(path)).map(({ key, result }) => [key, result])), settings)
  }

  get(cell: Cell): CellResult | undefined {
    return this.kept.get(this.key(cell))
  }

  key(cell: Cell): string {
    return cellKey(cell, this.settings)
  }

  async add(cell: Cell, result: CellResult): Promise<void> {
    const key = this.key(cell)
    try {
      const file = await open(this.path, 'a')
      await file
        .appendFile(`${JSON.stringify({ key, cell, result } satisfies Kept)}\n`)
        .then(() => file.sync())
        .finally(() => file.close())
    } catch (cause) {
      throw new FileError('FILE_WRITE', `The result could not be added to ${this.path}: ${(cause as Error).message}.`, { cause })
    }
    this.kept.set(key, result)
  }
}

/** What is in the file. A last line without an end was cut off while it was written, and is taken away. */
async function linesOf(path: string): Promise<Kept[]> {
  let content: string
  try {
    content = await readFile(path, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw new FileError('FILE_READ', `The results ${path} could not be read: ${(cause as Error).message}.`, { cause })
  }
  const whole = content.slice(0, content.lastIndexOf('\n') + 1)
  if (whole.length < content.length) {
    const file = await open(path, 'r+')
    await file.truncate(Buffer.byteLength(whole)).finally(() => file.close())
  }
  const lines = whole.split('\n').slice(0, -1)
  return lines.map((line, i) => parsed(line, `${path}, line ${i + 1}`))
}

function parsed(line: string, where: string): Kept {
  try {
    const kept: unknown = JSON.parse(line)
    if (isObject(kept) && typeof kept.key === 'string' && isObject(kept.result)) return kept as unknown as Kept
  } catch {
    // Told below.
  }
  throw new FileError('FILE_READ', `${where}: this is no result of a study. Remove the line, and its cell is measured again.`)
}
