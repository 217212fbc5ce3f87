import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

// Numbers of the ELF format: e_machine of the architectures that Node runs on.
const MACHINES: Readonly<Record<number, string>> = { 3: 'ia32', 40: 'arm', 62: 'x64', 183: 'arm64', 243: 'riscv64' }
const HEADER = 64

/**
 * Why the dynamic linker could not use a library file, told from its header alone; null where it seems fit. The linker itself would not always say so: of a
 * library that is cut short it maps what is missing, and the process dies at the first touch. Only Linux's format is looked into.
 */
export function libraryProblem(path: string, arch: string = process.arch): string | null {
  if (process.platform !== 'linux') return null
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (error) {
    return `may not be read (${(error as NodeJS.ErrnoException).code})`
  }
  try {
    return headerProblem(file, arch)
  } finally {
    closeSync(file)
  }
}

function headerProblem(file: number, arch: string): string | null {
  const { size } = fstatSync(file)
  const header = read(file, 0, HEADER)
  if (header.length < HEADER) return `is cut short: it has ${size} bytes`
  if (header.readUInt32BE(0) !== 0x7f454c46 || header[4] !== 2) return 'is no library of this platform'
  const machine = MACHINES[header.readUInt16LE(18)] ?? `machine ${header.readUInt16LE(18)}`
  if (machine !== arch) return `is for ${machine}, and this is ${arch}`
  const needed = endOfContents(file, header)
  return size < needed ? `is cut short: it has ${size} of ${needed} bytes` : null
}

/** Where the last of the parts that the header names ends: segments and the table of sections. */
function endOfContents(file: number, header: Buffer): number {
  const sections = Number(header.readBigUInt64LE(40)) + header.readUInt16LE(58) * header.readUInt16LE(60)
  const entry = header.readUInt16LE(54)
  const segments = read(file, Number(header.readBigUInt64LE(32)), entry * header.readUInt16LE(56))
  const ends = [sections]
  for (let at = 0; entry >= 56 && at + entry <= segments.length; at += entry)
    ends.push(Number(segments.readBigUInt64LE(at + 8)) + Number(segments.readBigUInt64LE(at + 32)))
  return Math.max(...ends)
}

function read(file: number, position: number, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  return bytes.subarray(0, readSync(file, bytes, 0, length, position))
}
