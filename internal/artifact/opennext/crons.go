package opennext

import (
	"encoding/json"
	"errors"
	"io/fs"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// CronsFile is a file of Anchor's own in a .open-next tree: the crons of the app, as a JSON list of
// {"path", "schedule"}. They belong to the build, so that a rollback brings them back.
const CronsFile = "anchor-crons.json"

// maxCrons is the most that is read of the file, in bytes.
const maxCrons = 128 << 10

// readCrons returns the crons of a build, which has none without the file.
func readCrons(tree fs.FS) (crons []anchor.Cron, err error) {
	content, err := readStart(tree, CronsFile, maxCrons)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, unreadableError(CronsFile, err)
	}
	if err := json.Unmarshal(content, &crons); err != nil {
		return nil, anchor.Invalid("bad_cron", "%s is not a list of crons", CronsFile).Because(err).
			Hintf("Remove it from .open-next. Anchor writes it from the crons of anchor.json or vercel.json.")
	}
	return crons, anchor.CheckCrons(crons)
}
