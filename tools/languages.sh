# shellcheck shell=bash
# Sourced behind tools/env.sh: the toolchains of examples/languages, each kept outside the checkout.
# The need_ functions install what is missing; where one cannot, it says so and fails.
LANGUAGES="$FUNCD_CACHE/languages"
COMPONENTIZE_JS_VERSION=0.23.0
COMPONENTIZE_PY_VERSION=0.25.1
COMPONENTIZE_JS="$LANGUAGES/componentize-js-$COMPONENTIZE_JS_VERSION/node_modules/.bin/componentize-js"
COMPONENTIZE_PY="$LANGUAGES/componentize-py-$COMPONENTIZE_PY_VERSION/bin/componentize-py"
readonly WASI_LIBC=/usr/lib/wasm32-wasi

without() {
  echo "languages: $1 is left out: $2" >&2
  return 1
}

# install_into FOLDER COMMAND...: runs a command that fills the folder that it finds in $into; the
# folder is whole, or is not there.
install_into() {
  local folder=$1 status=0 into
  shift
  mkdir -p "$LANGUAGES"
  into="$(mktemp -d "$LANGUAGES/new-XXXXXX")"
  if into="$into" "$@" >"$into.log" 2>&1; then
    rm -rf "$folder"
    mv "$into" "$folder"
  else
    status=1
    tail -n 20 "$into.log" >&2
    rm -rf "$into"
  fi
  rm -f "$into.log"
  return "$status"
}

install_componentize_js() {
  echo '{"private": true}' >"$into/package.json"
  npm install --prefix "$into" --no-audit --no-fund --no-package-lock \
    "@bytecodealliance/componentize-js@$COMPONENTIZE_JS_VERSION"
}

need_componentize_js() {
  [[ -x "$COMPONENTIZE_JS" ]] && return
  command -v npm >/dev/null || without javascript "there is no npm" || return
  echo "setup: installing componentize-js $COMPONENTIZE_JS_VERSION into $LANGUAGES"
  install_into "${COMPONENTIZE_JS%/node_modules/*}" install_componentize_js ||
    without javascript "componentize-js cannot be installed, see above"
}

# Scripts in a virtual environment name their Python, so it is made where it stays.
install_componentize_py() {
  local folder="${COMPONENTIZE_PY%/bin/*}"
  python3 -m venv --clear "$folder" &&
    "$folder/bin/pip" install --quiet "componentize-py==$COMPONENTIZE_PY_VERSION"
}

need_componentize_py() {
  [[ -x "$COMPONENTIZE_PY" ]] && return
  echo "setup: installing componentize-py $COMPONENTIZE_PY_VERSION into $LANGUAGES"
  install_componentize_py || without python "componentize-py cannot be installed, see above"
}

# A Rust compiler that has the standard library of wasm32-wasip1: the one on PATH when rustup has
# added that target, or the one that need_rust_for_wasi() has made.
find_rust_for_wasi() {
  local rustc libraries
  for rustc in "$(command -v rustc || true)" "$LANGUAGES/rust/bin/rustc"; do
    [[ -x "$rustc" ]] || continue
    libraries="$("$rustc" --print target-libdir --target wasm32-wasip1 2>/dev/null)" || continue
    compgen -G "$libraries/libcore-*.rlib" >/dev/null || continue
    echo "$rustc"
    return
  done
  return 1
}

# Debian's rustc-web, unpacked rather than installed, for it conflicts with rustup.
unpack_debian_rust() {
  local version packages llvm
  [[ -n "$(apt-cache show rustc-web 2>/dev/null)" ]] || apt-get -q update
  version="$(apt-cache show --no-all-versions rustc-web | sed -n 's/^Version: \([0-9]*\.[0-9]*\)\..*/\1/p')"
  [[ -n "$version" ]] || return 1
  llvm="$(apt-cache depends "libstd-rust-web-$version" | sed -n 's/^ *Depends: \(libllvm[0-9]*\)$/\1/p')"
  packages=(rustc-web libstd-rust-web-dev "libstd-rust-web-$version" rust-web-src)
  [[ -z "$llvm" ]] || packages+=("$llvm")
  mkdir "$into/packages"
  (cd "$into/packages" && { apt-get -q download "${packages[@]}" ||
    { apt-get -q update && apt-get -q download "${packages[@]}"; }; }) || return
  local package
  for package in "$into"/packages/*.deb; do dpkg -x "$package" "$into" || return; done
  rm -rf "$into/packages"
}

# Its standard library for wasm32-wasip1 is built from Debian's source of it, and lies where rustup
# would have put it, beside wasi-libc.
install_rust() {
  unpack_debian_rust || return
  mkdir "$into/bin"
  cat >"$into/bin/rustc" <<'END' || return
#!/bin/sh
here=$(dirname "$(dirname "$(readlink -f "$0")")")
LD_LIBRARY_PATH=$(echo "$here"/usr/lib/*-linux-gnu) exec "$here/usr/bin/rustc" "$@"
END
  chmod +x "$into/bin/rustc"
  local host target linkers
  host="$("$into/bin/rustc" -vV | sed -n 's/^host: //p')"
  linkers="$into/usr/lib/rustlib/$host/bin"
  target="$into/usr/lib/rustlib/wasm32-wasip1/lib"
  mkdir -p "$linkers" "$target/self-contained"
  ln -sf "$(command -v wasm-ld-16)" "$linkers/rust-lld"
  ln -s "$WASI_LIBC"/{crt1-command.o,crt1-reactor.o,libc.a} "$target/self-contained/"
  RUSTC="$into/bin/rustc" RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR="$into/target" \
    RUSTFLAGS="-Cembed-bitcode=yes -Zforce-unstable-if-unmarked" \
    cargo build --release --target wasm32-wasip1 --package std --features panic-unwind \
    --manifest-path "$into"/usr/src/rustc-*/library/Cargo.toml || return
  cp "$into"/target/wasm32-wasip1/release/deps/*.rlib "$target/"
  rm -rf "$into/target" "$into/usr/src"
}

need_rust_for_wasi() {
  find_rust_for_wasi >/dev/null && return
  local how="run: rustup target add wasm32-wasip1"
  if [[ ! -f "$WASI_LIBC/libc.a" ]] || ! command -v wasm-ld-16 apt-get >/dev/null; then
    without rust "its target wasm32-wasip1 is not installed; $how" || return
  fi
  echo "setup: building Rust's standard library for wasm32-wasip1 into $LANGUAGES, a minute or two"
  install_into "$LANGUAGES/rust" install_rust ||
    without rust "its target wasm32-wasip1 cannot be built, see above; $how"
}
