package opennext

import (
	"encoding/json"
	"io/fs"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// outputFile is what build/generateOutput.js writes at the end of a v3 or v4 build.
const outputFile = "open-next.output.json"

// output is the part of open-next.output.json that is read here (interface
// OpenNextOutput in build/generateOutput.ts).
type output struct {
	EdgeFunctions map[string]origin `json:"edgeFunctions"`
	Origins       map[string]origin `json:"origins"`
	Behaviors     []behavior        `json:"behaviors"`
	Additional    struct {
		DisableIncrementalCache bool `json:"disableIncrementalCache"`
		DisableTagCache         bool `json:"disableTagCache"`
		Warmer                  *struct {
			Bundle string `json:"bundle"`
		} `json:"warmer"`
	} `json:"additionalProps"`
}

// origin is a function, a container or the static files. Edge functions have no type.
type origin struct {
	Type             string `json:"type"`
	Bundle           string `json:"bundle"`
	Handler          string `json:"handler"`
	Streaming        bool   `json:"streaming"`
	Wrapper          string `json:"wrapper"`
	Converter        string `json:"converter"`
	IncrementalCache string `json:"incrementalCache"`
	TagCache         string `json:"tagCache"`
	Copy             []struct {
		From string `json:"from"`
		To   string `json:"to"`
	} `json:"copy"`
}

type behavior struct {
	Pattern      string `json:"pattern"`
	Origin       string `json:"origin"`
	EdgeFunction string `json:"edgeFunction"`
}

const staticOrigin = "s3"

func readOutput(tree fs.FS) (output, error) {
	data, err := readFile(tree, outputFile, maxOutput)
	if err != nil {
		return output{}, err
	}
	var out output
	if err := json.Unmarshal(data, &out); err != nil {
		return output{}, anchor.Invalid("bad_output_json", "%s cannot be read", outputFile).
			Because(err).Hintf("The build may have been interrupted. " + buildAgain)
	}
	_, hasServer := out.Origins[anchor.ServerFunction]
	_, hasStatic := out.Origins[staticOrigin]
	if !hasServer || !hasStatic || len(out.Behaviors) == 0 {
		return output{}, anchor.Invalid("unknown_layout", "%s lacks the origins %q and %q or the behaviors", outputFile, anchor.ServerFunction, staticOrigin).
			Hintf("Anchor supports the layouts of open-next 2 and @opennextjs/aws 3 and 4. Build with one of these, or update Anchor.")
	}
	return out, nil
}
