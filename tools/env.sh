# shellcheck shell=bash
# Sourced by the scripts in tools/: where things are kept outside the checkout, and which Go is used.
FUNCD_CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/funcd"
FUNCD_VENV="$FUNCD_CACHE/venv"

readonly GO_MINOR_MIN=21

# Minor version of "go version go1.26.8 ...", "cargo 1.95.0 (...)"; 0 when it cannot be run.
minor_version() {
  local text
  text="$("$@" 2>/dev/null)" || true
  if [[ "$text" =~ [^0-9]1\.([0-9]+) ]]; then echo "${BASH_REMATCH[1]}"; else echo 0; fi
}

# Go from PATH, or the one that tools/setup has put into the virtual environment; fails when neither
# is new enough to build for wasip1.
find_go() {
  local candidate
  for candidate in "$(command -v go || true)" "$FUNCD_VENV/bin/go"; do
    [[ -x "$candidate" ]] || continue
    if (($(GOTOOLCHAIN=local minor_version "$candidate" version) >= GO_MINOR_MIN)); then
      echo "$candidate"
      return 0
    fi
  done
  return 1
}

# Puts that Go first in PATH, for what a script starts.
use_go() {
  local go
  go="$(find_go)" || {
    echo "go 1.$GO_MINOR_MIN or newer is not installed: run tools/setup examples" >&2
    return 1
  }
  PATH="$(dirname "$go"):$PATH"
  export PATH
}
