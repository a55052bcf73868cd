#!/bin/sh
# Installs the anchor binary from a release:
#
#   curl -fsSL https://github.com/anchor-deploy/anchor/releases/latest/download/install.sh | sh
#
# It verifies the SHA-256 checksum of the download before it installs anything, and replaces an
# older binary in one step. Settings, as environment variables:
#
#   ANCHOR_VERSION       version to install, such as v0.1.0 (default: the latest release)
#   ANCHOR_INSTALL_DIR   folder of the binary (default: /usr/local/bin if writable, else ~/.local/bin)
#   ANCHOR_RELEASES      URL of the releases (default: those on GitHub)
set -eu

fail() {
  echo "error: $1" >&2
  exit 1
}

platform() {
  case "$(uname -s)" in
  Linux) os=linux ;;
  Darwin) os=darwin ;;
  *) fail "there is no release for $(uname -s); Anchor runs on Linux and macOS" ;;
  esac
  case "$(uname -m)" in
  x86_64 | amd64) arch=amd64 ;;
  aarch64 | arm64) arch=arm64 ;;
  *) fail "there is no release for $(uname -m); Anchor runs on amd64 and arm64" ;;
  esac
  echo "${os}_${arch}"
}

# download URL FILE
download() {
  if command -v curl >/dev/null; then
    curl -fsSL --retry 2 -o "$2" "$1" || fail "could not download $1"
  elif command -v wget >/dev/null; then
    wget -q -O "$2" "$1" || fail "could not download $1"
  else
    fail "curl or wget is required"
  fi
}

# sha256 FILE
sha256() {
  if command -v sha256sum >/dev/null; then
    sha256sum "$1" | cut -d ' ' -f 1
  elif command -v shasum >/dev/null; then
    shasum -a 256 "$1" | cut -d ' ' -f 1
  else
    fail "sha256sum or shasum is required to verify the download"
  fi
}

# verify FILE CHECKSUMS
verify() {
  want=$(awk -v name="$(basename "$1")" '$2 == name || $2 == "*" name { print $1 }' "$2")
  [ -n "$want" ] || fail "checksums.txt does not list $(basename "$1"); nothing was installed"
  got=$(sha256 "$1")
  [ "$got" = "$want" ] || fail "the checksum of $(basename "$1") is $got, expected $want; nothing was installed"
}

folder() {
  if [ -n "${ANCHOR_INSTALL_DIR:-}" ]; then
    echo "$ANCHOR_INSTALL_DIR"
  elif [ -w /usr/local/bin ]; then
    echo /usr/local/bin
  else
    echo "$HOME/.local/bin"
  fi
}

# main is called on the last line, so that a script cut off in transfer runs nothing.
main() {
  archive="anchor_$(platform).tar.gz"
  releases=${ANCHOR_RELEASES:-https://github.com/anchor-deploy/anchor/releases}
  if [ -n "${ANCHOR_VERSION:-}" ]; then
    from="$releases/download/$ANCHOR_VERSION"
  else
    from="$releases/latest/download"
  fi
  dir=$(folder)
  temp=$(mktemp -d)
  new=
  trap 'rm -rf "$temp" ${new:+"$new"}' EXIT
  trap 'exit 130' INT TERM

  download "$from/checksums.txt" "$temp/checksums.txt"
  download "$from/$archive" "$temp/$archive"
  verify "$temp/$archive" "$temp/checksums.txt"
  tar -xzf "$temp/$archive" -C "$temp" anchor || fail "$archive contains no anchor binary; nothing was installed"

  mkdir -p "$dir" || fail "cannot create $dir; set ANCHOR_INSTALL_DIR to a folder you can write to"
  [ -w "$dir" ] || fail "cannot write to $dir; set ANCHOR_INSTALL_DIR, or run this script as root"
  new="$dir/.anchor.$$"
  cp "$temp/anchor" "$new"
  chmod 755 "$new"
  mv -f "$new" "$dir/anchor"
  new=
  echo "Installed $("$dir/anchor" version) in $dir"
  case ":$PATH:" in
  *":$dir:"*) ;;
  *) echo "Add $dir to your PATH." ;;
  esac
}

main "$@"
