const lite = {
  wrapper: 'aws-lambda',
  incrementalCache: 's3-lite',
  tagCache: 'dynamodb-lite',
  queue: 'sqs-lite',
} as const;

const config = {
  default: {
    override: lite,
  },
  functions: {
    api: {
      routes: ['pages/api/hello', 'pages/api/echo', 'pages/api/revalidate'],
      // Without a leading slash or base path: OpenNext puts `docs/` in front.
      patterns: ['api/*'],
      override: lite,
    },
  },
  middleware: {
    external: true,
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
