import { OptionError } from '../errors.js'
import { show } from '../options/check.js'

/** A text with fields of a row in it: 'question: {q} context: {c}'. `{{` and `}}` are single braces. */
export interface Template {
  /** The fields named, each once. */
  readonly fields: readonly string[]
  /** The text for a row; `field` gives each field's text. */
  fill(field: (name: string) => string): string
}

const PART = /\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+/g

/** Throws OPTION_INVALID for a brace that is left open, an empty name, and a text without any field; `option` names it in the message. */
export function parseTemplate(text: string, option: string): Template {
  const parts: (string | { field: string })[] = []
  for (const [part, name] of text.matchAll(PART)) {
    if (name !== undefined) parts.push({ field: checkName(name, text, option) })
    else if (part === '{' || part === '}')
      throw invalid(text, option, `holds a single ${part} (write ${part}${part} for the character itself)`)
    else parts.push(part === '{{' ? '{' : part === '}}' ? '}' : part)
  }
  const fields = [...new Set(parts.flatMap((part) => (typeof part === 'string' ? [] : [part.field])))]
  if (fields.length === 0)
    throw invalid(text, option, 'names no field, so that all rows would be alike. To take a field as it is, name it as a column')
  return { fields, fill: (field) => parts.map((part) => (typeof part === 'string' ? part : field(part.field))).join('') }
}

function checkName(name: string, text: string, option: string): string {
  if (name.trim() === '') throw invalid(text, option, 'has empty braces')
  return name.trim()
}

function invalid(text: string, option: string, what: string): OptionError {
  return new OptionError(
    'OPTION_INVALID',
    `Option '${option}': the template ${show(text)} ${what}. Example: 'question: {question} context: {context}'.`,
  )
}
