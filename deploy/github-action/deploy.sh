#!/bin/sh
# Builds the app with OpenNext and deploys it to an Anchor server; a branch that is not the
# production branch becomes a preview. Used by action.yml and gitlab-ci.yml.
#
# In: ANCHOR_URL, ANCHOR_TOKEN, PROJECT; DIRECTORY of the app (.), BRANCH, COMMIT, PRODUCTION_BRANCH
# (main), INSTALL and BUILD commands.
# Out: deploy.json, the answer of anchor deploy --json, in the working folder.
set -eu

fail() {
	echo "error: $1" >&2
	exit 1
}

[ -n "${ANCHOR_URL:-}" ] || fail "ANCHOR_URL is empty: set it to the URL of the server, such as https://anchor.example.com"
[ -n "${ANCHOR_TOKEN:-}" ] || fail "ANCHOR_TOKEN is empty: store a token of scope deploy in the secrets of the CI (anchor tokens create ci --scope deploy)"
[ -n "${PROJECT:-}" ] || fail "no project is named"

command -v anchor >/dev/null || fail "anchor is not installed"
out=$PWD/deploy.json
cd "${DIRECTORY:-.}"
${INSTALL:-npm ci}
${BUILD:-npx --yes @opennextjs/aws@~4.1.12 build}

set -- --prebuilt --json --project "$PROJECT" --branch "${BRANCH:-main}"
[ -z "${COMMIT:-}" ] || set -- "$@" --commit "$COMMIT"
[ "${BRANCH:-main}" = "${PRODUCTION_BRANCH:-main}" ] || set -- "$@" --no-release
if ! anchor deploy "$@" . >"$out"; then
	cat "$out" >&2
	exit 1
fi
cat "$out"
