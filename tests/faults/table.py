"""The faults that hepml must survive, one row an entry: the one source of docs/faults.md and of what the tests expect.

R: ROOT input. H: HDF5 and npz. S: the operating system and processes. (J and X, networks and TMVA weight files, are
tested beside the evaluator and the bridge.) A row is added with its tests, whose ids begin with the entry
(`@pytest.mark.parametrize("entry", ["S04"])` or `id="S04 ..."`); `python scripts/faults_table.py` then writes the page.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FAMILIES", "FAULTS", "Fault"]


@dataclass(frozen=True)
class Fault:
    """One entry.

    Attributes:
        what: what is wrong.
        gives: what hepml does about it, one sentence.
        code: the exit code, or several; None where nothing ends (a reader in the same process, a measured bound).
        error: the class that the message begins with, or several; "" where the exit is not an error's.
        absent: why there is no test, where the entry does not apply to what hepml is; then the others are empty.
    """

    what: str
    gives: str = ""
    code: int | tuple[int, ...] | None = None
    error: str | tuple[str, ...] = ""
    absent: str = ""

    @property
    def codes(self) -> tuple[int, ...]:
        """The exit codes."""
        return self.code if isinstance(self.code, tuple) else () if self.code is None else (self.code,)

    @property
    def errors(self) -> tuple[str, ...]:
        """The classes."""
        return self.error if isinstance(self.error, tuple) else (self.error,) if self.error else ()


# how many entries each family has; a test asks for all of them
FAMILIES: dict[str, int] = {"R": 35, "H": 14, "S": 20}

_DAMAGED = "one message; with --skip-bad the file is left out, listed on stderr and in the output, exit 3"
ROOT_INPUT: dict[str, Fault] = {
    "R01": Fault("an empty file", _DAMAGED, 1, "InputFileError"),
    "R02": Fault("a text file named .root", _DAMAGED, 1, "InputFileError"),
    "R03": Fault("truncated at any of 64 points", _DAMAGED, 1, "InputFileError"),
    "R04": Fault("truncated in the last basket, the header says so", _DAMAGED, 1, "InputFileError"),
    "R06": Fault("2 kB of zeros in a basket", _DAMAGED, 1, "InputFileError"),
    "R08": Fault("no tree of that name", "the trees are listed", 1, "InputFileError"),
    "R09": Fault("two trees, none named", "the trees are listed", 1, "InputFileError"),
    "R10": Fault(
        "a branch missing in one file of many",
        "file and branch are named before anything is written, by apply too: every file is opened once before",
        1,
        "MissingBranchError",
    ),
    "R11": Fault(
        "a branch of another type",
        "numbers of any width are read; true and false, and texts, are refused by name",
        1,
        "DataError",
    ),
    "R12": Fault("one number an event where a list is due, or the reverse", "refused by name", 1, "DataError"),
    "R07": Fault("never closed: no end, no list of keys", _DAMAGED, 1, "InputFileError"),
    "R13": Fault("a tree without entries", "a warning; the output is made from the others, or is empty", 0),
    "R14": Fault(
        "no events in any file", "convert: no candidates, with the cut flow; apply and skim: as R13", 1, "DataError"
    ),
    "R15": Fault(
        "an event without particles",
        "no object: rejected as no_object, score NaN; an object without towers: an empty image, scored",
        0,
    ),
    "R17": Fault(
        "10 000 particles in an event",
        "all are read and count. convert --max-towers N keeps the N towers of highest ET of an event, of both "
        "calorimeters together, and counts the events and towers that are cut in a warning and in the output; apply "
        "and the C++ tagger cut as the training did. Objects are never cut",
        0,
    ),
    "R18": Fault("NaN", "the event is rejected as not_finite, counted by column; score NaN, status not_finite", 0),
    "R19": Fault("an infinite energy", "as R18", 0),
    "R20": Fault("a negative energy, pT or mass squared", "kept and summed as it is; all variables are finite", 0),
    "R21": Fault("an infinite eta", "as R18", 0),
    "R22": Fault("phi outside of -pi to pi", "the same angle as within", 0),
    "R23": Fault(
        "denormal numbers; numbers beyond 1e30",
        "denormal ones are kept; beyond 1e30 as R18, which is --not-finite drop. raise stops (1). keep leaves out the "
        "tower, also one of R18, R19 and R21, and keeps its event: images and variables are those of the other "
        "towers; counted by column; apply and the C++ tagger do as the training did. An object without finite numbers "
        "is always rejected",
        0,
    ),
    "R24": Fault(
        "the same run, lumi and event again, in one file or several",
        "counted in a warning, by merge across parts too, and kept in one split and fold. convert --dedup and merge "
        "--dedup keep the first in the order of reading and count the others as duplicate of their input: the same "
        "bytes however the files are divided into parts. convert --part with --dedup is refused (2), and either with a "
        "cross section (1)",
        0,
    ),
    "R25": Fault(
        "all weights zero, or those of a class",
        "refused where they must be normalised, by train, by evaluate and by monitor",
        1,
        "DataError",
    ),
    "R26": Fault(
        "negative weights", "kept, learned and summed with their signs; a class whose sum is not positive: as R25", 0
    ),
    "R27": Fault(
        "a weight that is NaN", "the event is left out and counted as not_finite_row; one in an npz is refused (1)", 0
    ),
    "R28": Fault(
        "one class only, in a file, a split or a fold",
        "refused with the counts, by convert, by train, by evaluate and by export --precision",
        1,
        "DataError",
    ),
    "R05": Fault(
        "a flipped bit",
        "with --checksums, a list of sha256sum, which convert, apply and skim take, every one is found (300 of 300 a "
        "codec by convert). Without it, of 300: zlib 120 errors, LZMA 119, the others harmless; ZSTD 27 errors, 17 "
        "rejected events, 65 wrong numbers; LZ4 20, 1, 88; uncompressed 20, 4, 84: ROOT files hold no checksum of "
        "their values",
        1,
        "InputFileError",
    ),
    "R16": Fault(
        "2^31 - 1 particles in an event, or less than none",
        "refused with the numbers, before memory is taken",
        1,
        ("InputFileError", "DataError"),
    ),
    "R29": Fault("a label among the inputs", "a warning that names the variable"),
    "R30": Fault(
        "a file that is replaced while it is read",
        "noticed at its end; nothing is written, or it is skipped",
        1,
        "InputFileError",
    ),
    "R31": Fault(
        "a disk or net that fails in the middle of a file",
        "read again twice, from where it failed; then an error, or with --skip-bad the file is left out (3)",
        1,
        "InputFileError",
    ),
    "R32": Fault("the same file twice, also through a link", "refused", 1, "DataError"),
    "R33": Fault("a glob without a match", "refused, with the nearest names", 1, "InputFileError"),
    "R34": Fault("10 000 files where 256 may be open", "one is open at a time", 0),
    "R35": Fault(
        "file names with blanks, quotes, newlines, escapes, letters of any script, 255 bytes",
        "read, written, and told on one line: ROOT files, data, runs, networks, npz, scores, reports and their folders",
        0,
    ),
}

_EITHER = ("InputFileError", "VerificationError")
_REFUSED = "refused before it is read, by show and verify as damaged (1 or 3); no other file is opened"
HDF5_INPUT: dict[str, Fault] = {
    "H01": Fault("truncated at any of 12 points", "one message", (1, 3), _EITHER),
    "H02": Fault(
        "a flipped bit",
        "verify finds it: 300 of 300, and 300 each in a sparse and in a dense file. What is not as it was written "
        "is met by another process first, as the HDF5 library crashes on some: such a file is refused by every command",
        (1, 3),
        _EITHER,
    ),
    "H03": Fault("another shape", "refused, with both shapes", (1, 3), _EITHER),
    "H04": Fault("another type: float16, big-endian, text, compound, object, reference", "refused", (1, 3), _EITHER),
    "H05": Fault("a data set that declares 1e12 numbers and stores none", _REFUSED, (1, 3), _EITHER),
    "H06": Fault("a thousand data sets that declare 1 GiB each", _REFUSED, (1, 3), _EITHER),
    "H07": Fault("values that are stored in another file", _REFUSED, (1, 3), _EITHER),
    "H08": Fault("a link to another file", _REFUSED, (1, 3), _EITHER),
    "H09": Fault("links in a circle", _REFUSED, (1, 3), _EITHER),
    "H10": Fault("a virtual data set", _REFUSED, (1, 3), _EITHER),
    "H11": Fault(
        "attributes of 64 MB, of other encodings, with NUL, format strings, terminal escapes",
        "shown as plain text of a readable length, on one line",
        (1, 3),
        _EITHER,
    ),
    "H12": Fault("10 000 groups in each other", _REFUSED, (1, 3), _EITHER),
    "H13": Fault(
        "a .keras file with a Lambda, TFSMLayer, TorchModuleWrapper, StringLookup, another module, a tricky registered "
        "name, links or foreign storage among its weights, one file a known CVE",
        "refused before Keras sees it, as all is that is not from Keras' modules of layers; nothing is run, no other "
        "file opened",
        1,
        "InputFileError",
    ),
    "H14": Fault(
        "a pickle in an npz, or arrays that are declared larger than its bytes can hold; a pickle, joblib or torch "
        "file given as a model; ONNX and TFLite given as a network",
        "refused, as no JSON or no .keras; nothing is unpickled, no memory taken",
        1,
        ("InputFileError", "SchemaError"),
    ),
}

SYSTEM: dict[str, Fault] = {
    "S01": Fault(
        "the disk fills up, at any write, at fsync or at the rename",
        "the old output stays, what was begun is removed ([where so far](errors.md#writing))",
        4,
        "OutputError",
    ),
    "S02": Fault(
        "kill -9 in a stage of a command ([where so far](crash_safety.json))",
        "nothing under its own name is half-written; started again, the command gives the result of an undisturbed run",
        0,
    ),
    "S03": Fault(
        "SIGTERM or SIGINT in a training, SIGTERM in any stage of any command",
        "a training has the state after its last epoch, at most a second older, in the checkpoint within 5 s; other "
        "commands end within 5 s and leave nothing half-written ([where so far](errors.md#writing))",
        (130, 143),
    ),
    "S04": Fault("the output's folder is read-only", "refused before any work is done", 4, "OutputError"),
    "S05": Fault("no writable home, no cache of Matplotlib, no display", "figures are drawn all the same", 0),
    "S06": Fault(
        "ROOT is not installed",
        "everything but hepml.root works; that raises MissingExtraError with the pip command",
        0,
    ),
    "S07": Fault(
        "another ROOT or NumPy than at the time of the build",
        "nothing: the compiled module links no library of either and asks for no C interface of NumPy; hepml.root is "
        "compiled by the ROOT that loads it, and pip refuses a wheel of another Python",
    ),
    "S08": Fault(
        "two processes write one output",
        "the second is refused, and changes nothing; the lock of a process that died is free ([where so "
        "far](errors.md#writing))",
        4,
        "OutputError",
    ),
    "S09": Fault("clocks that jump, files from the future", "the same bytes: no result and no decision uses a time", 0),
    "S10": Fault(
        "an address space of 1 GiB is too small for the input",
        "most commands work in it; else one message, with how much memory could not be had",
        1,
        ("HepmlError", "InputFileError"),
    ),
    "S11": Fault(
        "a worker is killed, as for want of memory",
        "its file is read again twice, then named",
        1,
        "InputFileError",
    ),
    "S12": Fault(
        "a worker hangs",
        "it is replaced after --timeout and its file read again twice, then named",
        1,
        "InputFileError",
    ),
    "S13": Fault("a German or Turkish locale", "the same data, networks, numbers and scores", 0),
    "S14": Fault(
        "a pipe, a folder or a dangling link as output or input",
        "refused: as an output before any work, with --overwrite too; a link is replaced, never followed",
        (1, 4),
        ("InputFileError", "OutputError"),
    ),
    "S15": Fault("umask 077, folders with the setgid bit", "outputs have the mode and the group that are asked for", 0),
    "S16": Fault(
        "--resume finds a half-written output under the final name", "it is seen by its checksums and written again", 0
    ),
    "S17": Fault("--resume with other options than before", "refused; the old output stays", 4, "OutputError"),
    "S18": Fault("processes are needed after TensorFlow has run", "they are spawned, never forked: the same bytes", 0),
    "S19": Fault("models are loaded and destroyed while 16 threads evaluate", "the same bits in every thread"),
    "S20": Fault(
        "the loss is not a number, or the output is constant (a GPU is never needed)",
        "the training stops and begins anew with half the learning rate; when all retries are used up it is refused, "
        "and no network is left",
        1,
        "TrainingError",
    ),
}

FAULTS: dict[str, Fault] = ROOT_INPUT | HDF5_INPUT | SYSTEM
