#!/bin/bash
# convert_part.sh K N: part K of N. Every job has the same files and options; change them here.
# A part that is there from an earlier run is kept if it is whole and of these files, options and code; another is refused.
set -euo pipefail
exec hepml convert --signal "${SIGNAL:-signal_*.root}" --background "${BACKGROUND:-background_*.root}" \
  --part "$1/$2" -o "parts/$1.h5" --resume
