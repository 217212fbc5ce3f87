import { version } from '../package.json'

/** The version of this package, as it stands in the files that it writes. */
export const VERSION: string = version
