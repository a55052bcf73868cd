module github.com/anchor-deploy/anchor

go 1.26.0

require (
	github.com/andybalholm/brotli v1.2.8
	github.com/klauspost/compress v1.20.3
	golang.org/x/sync v0.24.0
)

require go.uber.org/goleak v1.3.0
