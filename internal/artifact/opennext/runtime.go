package opennext

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Runtime is what a build asks of the Node.js that runs it.
type Runtime struct {
	Engines string `json:",omitempty"` // engines.node of the app's package.json: ">=20"; "" when it has none
	// ABI is the NODE_MODULE_VERSION that compiled modules of the build were made for, 0 when all
	// of them run on any version (Node-API).
	ABI int `json:",omitempty"`
	// Bound is set when a compiled module uses V8 or Node.js itself and does not say for which ABI.
	// It loads where it was built.
	Bound bool `json:",omitempty"`
}

// ReadRuntime reads what the server function's package.json and the compiled modules of all bundles
// ask for. Files that cannot be read as what they are ask for nothing.
func ReadRuntime(tree fs.FS, b anchor.Build) (Runtime, error) {
	var r Runtime
	if server, ok := b.Function(anchor.ServerFunction); ok {
		home, err := bundleHome(tree, server)
		if err != nil {
			return r, err
		}
		if r.Engines, err = readEngines(tree, path.Join(home, "package.json")); err != nil {
			return r, err
		}
	}
	bundles, err := bundleDirs(tree)
	if err != nil {
		return r, err
	}
	for _, bundle := range bundles {
		err := fs.WalkDir(tree, bundle, func(name string, entry fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(name, ".node") || !entry.Type().IsRegular() {
				return err
			}
			return r.addModule(tree, name)
		})
		if err != nil {
			return r, unreadableError(bundle, err)
		}
	}
	return r, nil
}

func readEngines(tree fs.FS, name string) (string, error) {
	data, err := readStart(tree, name, maxPackageJSON)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var manifest struct {
		Engines struct {
			Node string `json:"node"`
		} `json:"engines"`
	}
	// npm accepts other types there, too: what cannot be decoded asks for nothing.
	_ = json.Unmarshal(data, &manifest)
	return manifest.Engines.Node, nil
}

const (
	maxPackageJSON = 1 << 20
	maxModule      = 64 << 20 // up to where a compiled module is searched
)

// readStart returns a file, or its first limit bytes.
func readStart(tree fs.FS, name string, limit int64) ([]byte, error) {
	file, err := tree.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, limit))
}

var (
	// registerSymbol is what NODE_MODULE_INIT of node.h exports, followed by the ABI.
	registerSymbol = []byte("node_register_module_v")
	// boundSymbols begin the C++ names of V8 and Node.js, which only one ABI has.
	boundSymbols = [][]byte{[]byte("_ZN2v8"), []byte("_ZN4node"), []byte("_ZNK2v8")}
)

// addModule takes up the ABI of a compiled module. A symbol's name is in the file as it is in all
// formats of object files, so its bytes are searched.
func (r *Runtime) addModule(tree fs.FS, name string) error {
	code, err := readStart(tree, name, maxModule)
	if err != nil {
		return err
	}
	if _, after, found := bytes.Cut(code, registerSymbol); found {
		end := 0
		for end < len(after) && end < 4 && after[end] >= '0' && after[end] <= '9' {
			end++
		}
		if abi, err := strconv.Atoi(string(after[:end])); err == nil {
			r.ABI = max(r.ABI, abi)
			return nil
		}
	}
	for _, symbol := range boundSymbols {
		if bytes.Contains(code, symbol) {
			r.Bound = true
		}
	}
	return nil
}
