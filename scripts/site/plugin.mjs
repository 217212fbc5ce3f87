// What the site needs of TypeDoc beyond its settings (typedoc.json): pages are called by their first heading and stand together by what they are for,
// and the error codes are documented by their values.
import { relative } from 'node:path'
import { Comment, Converter, ReflectionKind, RendererEvent } from 'typedoc'
import { rootPath } from '../shared.mjs'

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

export function load(app) {
  const titles = new Map()

  app.converter.on(Converter.EVENT_CREATE_DOCUMENT, (_context, page) => {
    const path = relative(rootPath, page.project.files.getReflectionPath(page)).replaceAll('\\', '/')
    const group = GROUPS.find(([pattern]) => pattern.test(path))[1]
    page.frontmatter.group = group
    titles.set(page, titleOf(Comment.combineDisplayParts(page.content), group))
  })

  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, (context) => {
    const codes = context.project.getReflectionsByKind(ReflectionKind.Variable).find(({ name }) => name === 'ERROR_CODES')
    for (const code of codes.type.declaration.children) code.comment = new Comment([{ kind: 'text', text: code.type.value }])
  })

  // Addresses are made of files' names, which are short, and stay when a heading changes; the titles come after them.
  app.renderer.on(
    RendererEvent.BEGIN,
    () => {
      for (const [page, title] of titles) page.name = title
    },
    1000,
  )
}
