package build

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
)

// An app that does not depend on OpenNext itself is built with the newest version of the series that
// Anchor was tested with. openNextTested was tested with sharpPackage; it is used when the registry does
// not say which is the newest.
const (
	openNextName   = "@opennextjs/aws"
	openNextSeries = "4.1."
	openNextTested = "4.1.12"
)

// openNextForOld builds Next.js 14 and earlier: later versions do not list them among their peers, and 4.x
// refuses a Next.js that its authors support no longer (@opennextjs/aws, build/helper.js,
// checkNextVersionSupport).
const (
	openNextForOld = "3.9.12"
	oldestNext     = 15 // of the series
)

// leadingNumber is the first number of a version or of a range of versions.
var leadingNumber = regexp.MustCompile(`^[\s^~>=v]*(\d+)`)

// isOldNext reports whether a version of Next.js, or a range, is of before the series.
func isOldNext(version string) bool {
	found := leadingNumber.FindStringSubmatch(version)
	if found == nil {
		return false
	}
	major, err := strconv.Atoi(found[1])
	return err == nil && major < oldestNext
}

// openNext returns the version of OpenNext that builds an app which does not depend on one.
func (b *Builder) openNext(ctx context.Context) string {
	if isOldNext(b.App.NextVersion) {
		return openNextForOld
	}
	return b.newestOpenNext(ctx)
}

// newestOpenNext asks the registry for the newest version of the series.
func (b *Builder) newestOpenNext(ctx context.Context) string {
	var out bytes.Buffer
	command := []string{"npm", "view", openNextName + "@~" + openNextTested, "version", "--json"}
	if err := b.Run(ctx, Command{Dir: b.App.Dir, Args: command, Env: b.Env, Out: &out}); err != nil {
		return openNextTested
	}
	// Several versions are a list in ascending order, one may be a string.
	var newest string
	var several []string
	if json.Unmarshal(out.Bytes(), &several) == nil && len(several) > 0 {
		newest = several[len(several)-1]
	} else if json.Unmarshal(out.Bytes(), &newest) != nil {
		return openNextTested
	}
	if _, err := strconv.Atoi(strings.TrimPrefix(newest, openNextSeries)); err != nil {
		return openNextTested
	}
	return newest
}

var versionNumbers = regexp.MustCompile(`(\d+)\.(\d+)\.(\d+)`)

// DescribeOpenNext returns which version of OpenNext an app is built with, and whether it is older than
// what Anchor was tested with.
func DescribeOpenNext(app opennext.App) string {
	tested := openNextTested
	if isOldNext(app.NextVersion) {
		tested = openNextForOld
	}
	switch {
	case app.OpenNextVersion != "":
	case tested == openNextForOld:
		return fmt.Sprintf("%s, the last that builds Next.js %s. To use a current one, update Next.js to %d or newer", tested, app.NextVersion, oldestNext)
	default:
		return fmt.Sprintf("the newest %sx, because the app does not depend on %s", openNextSeries, openNextName)
	}
	found := versionNumbers.FindStringSubmatch(app.OpenNextVersion)
	if found == nil || !isOlder(found[1:], versionNumbers.FindStringSubmatch(tested)[1:]) {
		return app.OpenNextVersion + ", which the app depends on"
	}
	return fmt.Sprintf("%s, which the app depends on, is older than the tested %s. To update it, run npm install --save-dev %s@~%s",
		app.OpenNextVersion, tested, openNextName, tested)
}

// isOlder compares version numbers from the first on.
func isOlder(a, b []string) bool {
	for i := range min(len(a), len(b)) {
		x, errX := strconv.Atoi(a[i])
		y, errY := strconv.Atoi(b[i])
		if errX != nil || errY != nil || x != y {
			return errX == nil && errY == nil && x < y
		}
	}
	return false
}
