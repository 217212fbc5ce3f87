/** The LibTorch that this version of the package is built and tested with, where it is published, and the sha256 of every file that may be taken for it. */
export const LIBTORCH_VERSION = '2.13.0'

/** LibTorch's C++ interface holds within a minor version: a native module built with one runs with the others of that minor. */
export const LIBTORCH_MINOR = '2.13'

export interface Archive {
  url: string
  sha256: string
  bytes: number | null
}

/** The official download for a platform. Linux on ARM has no archive of its own: its CPU wheel holds the same two folders. */
export const ARCHIVES: Readonly<Record<string, Archive>> = {
  'linux-x64': {
    url: 'https://download.pytorch.org/libtorch/cpu/libtorch-shared-with-deps-2.13.0%2Bcpu.zip',
    sha256: 'edbf4cbed78433d803e90a65f1752e57783d164bce66c95c0872b2ab8f5c159e',
    bytes: 126_385_248,
  },
  'linux-arm64': {
    url: 'https://download.pytorch.org/whl/cpu/torch-2.13.0%2Bcpu-cp314-cp314-manylinux_2_28_aarch64.whl',
    sha256: 'ca021f9eb2f8345c83fa03e3a04587308afb8df71bd472670b3ece00df58621c',
    bytes: null,
  },
  'darwin-arm64': {
    url: 'https://download.pytorch.org/libtorch/cpu/libtorch-macos-arm64-2.13.0.zip',
    sha256: '1e10c6c4dc2764150c9fb2ad28e1889191302734e7f939108e5d2f22f21a06f8',
    bytes: 88_779_559,
  },
}

/** sha256 of the CPU wheels of torch 2.13.0, as the wheel index lists them, by their Python tag and platform. */
export const WHEELS: Readonly<Record<string, string>> = {
  'cp311-manylinux_2_28_x86_64': '6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b',
  'cp312-manylinux_2_28_x86_64': '4ca4a9394b0c771238a4f73590fdbbc4debad85ed0fa63d026ae1b085da7d6e2',
  'cp313-manylinux_2_28_x86_64': '3fbf9c9d1f3c10c2d59d04aca426dee9ccc6ceb32d255c61e93acc3b4f75fae6',
  'cp314-manylinux_2_28_x86_64': 'd20fa53ee744502fa4c69818a720b05ca0d37abd055d4f6e66cae155114bc691',
  'cp314t-manylinux_2_28_x86_64': 'b222c15a0fc2ce207d1c1a59700b46c8fa6748df1f447ad11e5c870dde0933d9',
  'cp310-manylinux_2_28_aarch64': 'f028e428bddee95cdb86e2470254e95c9af629362488550c200ed4793125a817',
  'cp311-manylinux_2_28_aarch64': '84453b69508ec79902f899c5ed9495acb9e2bbe9fda5f1d5d6f19e3c3842e1a7',
  'cp312-manylinux_2_28_aarch64': '6f307c2c32d764ffc6ff6893b801fad6d4752f3e67966cb8abf1843427c02604',
  'cp313-manylinux_2_28_aarch64': '0b8f7d0423027ae8b90c7977c627f3379f325363a08224dffad9b4b2d684a83d',
  'cp314-manylinux_2_28_aarch64': 'ca021f9eb2f8345c83fa03e3a04587308afb8df71bd472670b3ece00df58621c',
  'cp314t-manylinux_2_28_aarch64': '7b8d26e29bceafbdaa8d63bfe7612f23875b5af2cc07e13f809c3ed890bbe1d8',
  'cp311-macosx_14_0_arm64': 'e76f9bcecc52b8ff711239a2f7547d5353df95878ab232f0773c1d95928b92f8',
  'cp312-macosx_14_0_arm64': '2fe228aba290d14b9f31b049be550dbd469c3fd3013d7a19705b30454da97027',
  'cp313-macosx_14_0_arm64': '33449899ce5496c1b84b4853179d94fd102028ae1407314d9fb956bb79e70d09',
  'cp314-macosx_14_0_arm64': 'd849b390e07d8d333ce8ecaf91b273c656c598379a19c9acf1318a883f6b391c',
}

/** The Python tag and platform of the wheel with this sha256, where it is one of those above. */
export const pinnedWheel = (sha256: string) => Object.keys(WHEELS).find((tag) => WHEELS[tag] === sha256) ?? null

/** Builds with CUDA for linux-x64, by name: the wheel index that has them, and the sha256 of their wheels of torch 2.13.0 by Python tag. */
export const CUDA_BUILDS: Readonly<Record<string, { index: string; wheels: Readonly<Record<string, string>> }>> = {
  cu130: {
    index: 'https://download.pytorch.org/whl/cu130',
    wheels: {
      cp310: '83767298109148f10de124287b392bc58d74f9938e9430f26f9fd669efb8af9c',
      cp311: '794664c05a3470a5e738447b54495cc6bbf1efca48bf2794270a897d9f4356c4',
      cp312: '8db7338e6895c3d4bd89a02ff4209507d1f0cf2ffeb3b898538b5a07d1ea8c1e',
      cp313: '95bdbad2f0786bd448932e4b72a6404aa22290db6ec954e24edfa6d33c833c8f',
      cp314: 'e231302a457298d0236f7bde31082568f6cd0613b66b4eb46849e8ad53c2e38d',
    },
  },
}

/** The sha256 of the files that may be unpacked: those above, and those that the user names in SOFTPROMPT_LIBTORCH_SHA256 (separated by commas). */
export function acceptedHashes(env: NodeJS.ProcessEnv = process.env): string[] {
  return [...Object.values(ARCHIVES).map((archive) => archive.sha256), ...Object.values(WHEELS), ...namedHashes(env)]
}

/** Of the user's own trust. */
export function namedHashes(env: NodeJS.ProcessEnv = process.env): string[] {
  return (env.SOFTPROMPT_LIBTORCH_SHA256 ?? '')
    .toLowerCase()
    .split(/[\s,]+/)
    .filter(Boolean)
}

/** The file name of one of LibTorch's libraries on this platform. */
function libraryFile(name: string): string {
  if (process.platform === 'win32') return `${name}.dll`
  return `lib${name}.${process.platform === 'darwin' ? 'dylib' : 'so'}`
}

/** Names, in a LibTorch's `lib/`, of the libraries that must be there. */
export const REQUIRED_LIBRARIES = ['c10', 'torch_cpu'].map(libraryFile)

/** The library that only a LibTorch with CUDA has. */
export const CUDA_LIBRARY = libraryFile('torch_cuda')
