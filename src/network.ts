import type { EnvHttpProxyAgent } from 'undici'

let agent: { made: EnvHttpProxyAgent; of: string } | undefined

/**
 * `fetch`, by way of the proxy that HTTP_PROXY or HTTPS_PROXY names, except for the hosts of NO_PROXY. Node's own `fetch` looks at
 * these in its later versions only, and only where it is told to; so undici, which it is made of, is loaded where one of them is set.
 */
export async function request(url: string, init: RequestInit = {}): Promise<Response> {
  const proxies = { httpProxy: variable('HTTP_PROXY'), httpsProxy: variable('HTTPS_PROXY'), noProxy: variable('NO_PROXY') }
  if (!proxies.httpProxy && !proxies.httpsProxy) return fetch(url, init)
  const { EnvHttpProxyAgent, fetch: throughProxy } = await import('undici')
  const of = JSON.stringify(proxies)
  if (agent?.of !== of) agent = { made: new EnvHttpProxyAgent(proxies), of }
  const options = { ...init, dispatcher: agent.made } as Parameters<typeof throughProxy>[1]
  return (await throughProxy(url, options)) as unknown as Response
}

/** In small letters first, as curl has it. */
const variable = (name: string): string => process.env[name.toLowerCase()] || process.env[name] || ''
