// Command anchor-lambda is the bootstrap of the installation's handlers on AWS Lambda
// (provided.al2023). ANCHOR_HANDLER selects the handler.
package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == "build" { // in CodeBuild, see buildspec.yml
		os.Exit(build())
	}
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil)).With("handler", name())
	slog.SetDefault(log)
	handler, err := open(context.Background(), os.Getenv)
	if err != nil {
		log.Error("the handler cannot start", "cause", err.Error())
		os.Exit(1)
	}
	lambda.Start(handler)
}

// name returns the handler's name: ANCHOR_HANDLER, or else the function's handler setting.
func name() string {
	if name := os.Getenv("ANCHOR_HANDLER"); name != "" {
		return name
	}
	return os.Getenv("_HANDLER")
}
