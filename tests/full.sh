#!/usr/bin/env bash
# The full matrix: what needs the standard library only, tests marked `full` included, on every Python from
# 3.11 to 3.13 that runs here. A test marked `full` belongs to one of the rooms named below, or nothing runs it.
#   PYTHONS="/path/a /path/b" tests/full.sh     on these instead
set -euo pipefail
cd "$(dirname "$0")/.."
shopt -s nullglob

rooms=(tests/unit/test_values* tests/unit/test_guard* tests/unit/test_seccomp* tests/properties tests/attacks tests/contracts tests/goldens)
for i in "${!rooms[@]}"; do [ -e "${rooms[$i]}" ] || unset "rooms[$i]"; done
[ "${#rooms[@]}" -gt 0 ] || { echo "full.sh: no tests to run" >&2; exit 1; }

if [ -n "${PYTHONS:-}" ]; then
  read -ra candidates <<<"$PYTHONS"
else
  candidates=(python3.11 python3.12 python3.13)
  if root=$(pyenv root 2>/dev/null); then candidates+=("$root"/versions/3.1[123]*/bin/python3); fi
fi

done_versions=() failed=()
for python in "${candidates[@]}"; do
  if ! version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null); then
    [ -z "${PYTHONS:-}" ] || { echo "full.sh: $python does not run" >&2; exit 1; }
    continue
  fi
  [[ " ${done_versions[*]} " != *" $version "* ]] || continue
  done_versions+=("$version")
  venv=.venv-full/$version
  if [ ! -e "$venv/.installed" ]; then
    "$python" -m venv --clear "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check pytest hypothesis
    touch "$venv/.installed"
  fi
  echo "== $("$venv/bin/python" --version)"
  PYTHONPATH=src "$venv/bin/python" -m pytest -q -p no:cacheprovider "${rooms[@]}" || failed+=("$version")
done

[ "${#done_versions[@]}" -gt 0 ] || { echo "full.sh: no Python 3.11 to 3.13 runs here" >&2; exit 1; }
echo "ran on: ${done_versions[*]}; failed on: ${failed[*]:-none}"
[ "${#failed[@]}" -eq 0 ]
