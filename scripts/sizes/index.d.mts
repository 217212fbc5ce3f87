type Config = Record<string, unknown>

export function publishedModels(): { family: string; size: string; config: Config }[]
export function tensorsOf(config: Config): [name: string, shape: number[]][]
export function sizesTable(): Promise<string>
export function tableIn(readme: string): string | undefined
