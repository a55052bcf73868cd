module github.com/anchor-deploy/anchor

go 1.26

require go.uber.org/goleak v1.3.0
