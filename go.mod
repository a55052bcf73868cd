module github.com/anchor-deploy/anchor

go 1.26
