// node scripts/clean.mjs FOLDER…: removes built folders of the repository.
import { clean } from './shared.mjs'

for (const folder of process.argv.slice(2)) clean(folder)
