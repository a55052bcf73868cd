const config = {
  default: {
    override: { wrapper: 'aws-lambda-streaming' },
  },
  imageOptimization: {
    install: {
      packages: ['sharp@0.34.5'],
      arch: process.arch === 'arm64' ? 'arm64' : 'x64',
      os: 'linux',
      libc: 'glibc',
    },
  },
  buildCommand: 'npm run build',
};

export default config;
