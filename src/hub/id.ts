/** A model on the hub: 'google/t5-small-lm-adapt' or an old 't5-small'; `revision` is a branch, a tag or a commit. */
export interface HubId {
  name: string
  revision: string
}

const NAME = /^[\w-][\w.-]*(\/[\w-][\w.-]*)?$/
const REVISION = /^[\w-][\w.-]*(\/[\w-][\w.-]*)*$/

/** 'ORG/NAME' or 'ORG/NAME@REV'; undefined for what cannot be one. */
export function parseHubId(text: string, revision?: string): HubId | undefined {
  const [name = '', written, ...more] = text.split('@')
  const id = { name, revision: revision ?? written ?? 'main' }
  const sound = NAME.test(name) && REVISION.test(id.revision) && !text.includes('..') && !name.endsWith('.') && more.length === 0
  return sound ? id : undefined
}

/** As it is typed: without a revision where that is main. */
export function spellHubId({ name, revision }: HubId): string {
  return revision === 'main' ? name : `${name}@${revision}`
}
