// What the site needs of TypeDoc beyond its settings (typedoc.json): pages are called by their first heading and stand together by what they are for,
// and the error codes are documented by their values.
import { readFileSync } from 'node:fs'
import { relative } from 'node:path'
import { Comment, CommentTag, Converter, ReflectionKind, RendererEvent } from 'typedoc'
import { root, rootPath } from '../shared.mjs'

const GROUPS = [
  [/^docs\/decisions\//, 'Decisions'],
  [/^examples\//, 'Examples'],
  [/^docs\//, 'Guide'],
  [/./, 'The project'],
]

/** '# The presets, and how `fast` was found' is called 'The presets' in the guide's menu; a decision or an example keeps its whole heading. */
function titleOf(text, group) {
  const heading = /^# (.+)$/m.exec(text)[1].replaceAll('`', '')
  return group === 'Guide' ? heading.split(/[,:;]/)[0] : heading
}

const INDEX = readFileSync(new URL('docs/README.md', root), 'utf8')

/** Pages come in the order of the table in docs/README.md, which is the first itself. */
function placeInGuide(page) {
  const name = pathOf(page).replace('docs/', '')
  return name === 'README.md' ? -1 : INDEX.indexOf(`(${name})`)
}

const pathOf = (page) => relative(rootPath, page.project.files.getReflectionPath(page)).replaceAll('\\', '/')

export function load(app) {
  const titles = new Map()

  app.converter.on(Converter.EVENT_CREATE_DOCUMENT, (_context, page) => {
    const path = pathOf(page)
    const group = GROUPS.find(([pattern]) => pattern.test(path))[1]
    page.frontmatter.group = group
    titles.set(page, titleOf(Comment.combineDisplayParts(page.content), group))
  })

  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, (context) => {
    for (const { name, comment } of context.project.getReflectionsByKind(ReflectionKind.Class))
      if (name.endsWith('Error')) comment.blockTags.push(new CommentTag('@group', [{ kind: 'text', text: 'Errors' }]))
    const codes = context.project.getReflectionsByKind(ReflectionKind.Variable).find(({ name }) => name === 'ERROR_CODES')
    for (const code of codes.type.declaration.children) code.comment = new Comment([{ kind: 'text', text: code.type.value }])
  })

  app.converter.on(
    Converter.EVENT_RESOLVE_END,
    (context) => {
      const guide = context.project.groups.find(({ title }) => title === 'Guide')
      guide.children.sort((a, b) => placeInGuide(a) - placeInGuide(b))
      // Members stay as the source has them, the most important first; what the module exports is looked for by name.
      for (const { children } of context.project.children[0].groups) children.sort((a, b) => a.name.localeCompare(b.name))
    },
    -1000,
  )

  // Addresses are made of files' names, which are short, and stay when a heading changes; the titles come after them.
  app.renderer.on(
    RendererEvent.BEGIN,
    () => {
      for (const [page, title] of titles) page.name = title
    },
    1000,
  )
}
