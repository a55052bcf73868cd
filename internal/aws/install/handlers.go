package install

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"io/fs"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

//go:embed all:handlers
var embedded embed.FS

// Handlers returns the handlers' code in this binary: arm64.zip and amd64.zip, or neither when it
// was built without.
func Handlers() fs.FS {
	sub, err := fs.Sub(embedded, "handlers")
	if err != nil {
		panic(err) // the embedded folder has that name
	}
	return sub
}

// code is the zip of the handlers for one architecture.
type code struct {
	zip    []byte
	digest [sha256.Size]byte
	key    string // in the artifacts bucket
}

func (i *Installation) handlersCode(s state) (code, error) {
	architecture := i.chooseArchitecture(s)
	name := "arm64.zip"
	if architecture == X8664 {
		name = "amd64.zip"
	}
	zip, err := fs.ReadFile(i.Handlers, name)
	if errors.Is(err, fs.ErrNotExist) {
		return code{}, anchor.Invalid("no_handlers", "this anchor was built without the code of the AWS handlers (%s)", name).
			Hintf("Build it with make build, which builds them first, or use a released binary.")
	}
	if err != nil {
		return code{}, anchor.Failed("no_handlers", "cannot read the handlers' code %s", name).Because(err)
	}
	digest := sha256.Sum256(zip)
	return code{zip: zip, digest: digest, key: "handlers/" + architecture + "/" + hex.EncodeToString(digest[:]) + ".zip"}, nil
}
