#!/bin/sh
# Build dyNET for this CPU and install it into the environment of $PYTHON in place of the wheel.
# The wheel is compiled for AVX2 without a BLAS; with OpenBLAS the matrix products use whatever
# this CPU has (AVX-512 where there is), and nothing else of dynotes changes.
set -eu
PYTHON=${PYTHON:-python3}
EIGEN=${EIGEN3_INCLUDE_DIR:-/usr/include/eigen3}
for tool in cmake make c++; do
    command -v $tool >/dev/null || { echo "error: $tool is missing" >&2; missing=1; }
done
[ -d "$EIGEN/Eigen" ] || { echo "error: no Eigen in $EIGEN (EIGEN3_INCLUDE_DIR)" >&2; missing=1; }
echo 'int main(void){return 0;}' | cc -x c - -lopenblas -o /dev/null 2>/dev/null \
    || { echo "error: the linker finds no OpenBLAS" >&2; missing=1; }
if [ "${missing:-}" ]; then
    echo "on Debian: apt-get install build-essential cmake libeigen3-dev libopenblas-openmp-dev" >&2
    exit 1
fi
pins=$(mktemp)
trap 'rm -f "$pins"' EXIT
echo 'cython<3' >"$pins" # what DyNet's sources need; older pips read it from PIP_CONSTRAINT
"$PYTHON" -m pip uninstall --quiet --yes dyNET38 dyNET
# --no-cache-dir: a cached wheel of another environment lacks the C++ library
PIP_CONSTRAINT="$pins" PIP_BUILD_CONSTRAINT="$pins" \
    EIGEN3_INCLUDE_DIR="$EIGEN" MAKE_FLAGS="-j$(nproc)" CMAKE_POLICY_VERSION_MINIMUM=3.5 \
    CXXFLAGS="-DEIGEN_USE_BLAS" LDFLAGS="-Wl,--no-as-needed -lopenblas" \
    "$PYTHON" -m pip install --no-cache-dir --no-binary dyNET 'dyNET==2.1.2' \
    || { echo "error: the build failed; putting the wheel back" >&2
         "$PYTHON" -m pip install --quiet dyNET38; exit 1; }
"$PYTHON" -c 'from dynotes import runtime; print("built dynet", runtime.start(mem="16").__version__)'
