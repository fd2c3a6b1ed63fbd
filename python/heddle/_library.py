# SPDX-License-Identifier: Apache-2.0
"""The C interface of the loader (runtime/c_api/heddle.h) by ctypes: finds libheddle_runtime.so, and
turns its errors into exceptions. Knows nothing of torch."""

import ctypes
import os
import pathlib
import shutil
from ctypes import POINTER, byref, c_char, c_char_p, c_float, c_int32, c_int64, c_size_t, c_uint64, c_void_p

ABI = 1
NAME = "libheddle_runtime.so"
_PACKAGE = pathlib.Path(__file__).resolve().parent


class Error(Exception):
    """Something heddle was asked for that cannot be done; says why."""


class CallError(Error, ValueError):
    """An argument of a call: a wrong name, shape, type or size, or a kernel that is closed."""


class RefusedError(Error):
    """An artifact that does not open: it is not there, damaged or not verified, or there is no device for it."""


class MachineError(Error, RuntimeError):
    """A program, a library or memory that is missing, or a launch that failed."""


_KINDS = {1: CallError, 2: RefusedError, 3: MachineError}


class Buffer(ctypes.Structure):
    _fields_ = [("name", c_char_p), ("data", c_void_p), ("type", c_int32), ("rank", c_int32),
                ("shape", POINTER(c_int64)), ("strides", POINTER(c_int64))]


class Size(ctypes.Structure):
    _fields_ = [("name", c_char_p), ("value", c_int64)]


class Scalar(ctypes.Structure):
    _fields_ = [("name", c_char_p), ("value", c_float)]


class Launch(ctypes.Structure):
    _fields_ = [("size", c_size_t), ("op", c_char_p),
                ("buffers", POINTER(Buffer)), ("buffer_count", c_size_t),
                ("sizes", POINTER(Size)), ("size_count", c_size_t),
                ("scalars", POINTER(Scalar)), ("scalar_count", c_size_t),
                ("threads", c_int32), ("stream", c_void_p)]


class OpenOptions(ctypes.Structure):
    _fields_ = [("size", c_size_t), ("threads", c_int32), ("device", c_int32)]


def places():
    """Where the library is looked for: $HEDDLE_LIBRARY, which alone counts where it is set, the
    package's own folder, the checkout that the package lies in, beside the program `heddle` on the path, and the
    system's search."""
    if "HEDDLE_LIBRARY" in os.environ:
        return [os.environ["HEDDLE_LIBRARY"]]
    checkout = _PACKAGE.parent.parent
    found = [_PACKAGE / NAME, checkout / "build" / "release" / NAME]
    program = shutil.which("heddle")
    if program is not None:
        prefix = pathlib.Path(program).resolve().parent.parent
        found += sorted(prefix.glob(f"lib*/{NAME}")) + sorted(prefix.glob(f"lib/*/{NAME}"))
    return [str(path) for path in found if path.exists()] + [f"{NAME}.{ABI}"]


def _open_library():
    tried = []
    for place in places():
        try:
            library = ctypes.CDLL(place)
        except OSError as problem:
            tried.append(f"{place} ({problem})")
            continue
        library.heddle_abi.restype = c_int32
        if library.heddle_abi() != ABI:
            tried.append(f"{place} (it has the interface {library.heddle_abi()}, not {ABI})")
            continue
        return library
    raise MachineError(f"{NAME} is not found; tried {'; '.join(tried)}. "
                       "Build heddle, or set HEDDLE_LIBRARY to its place")


_SIGNATURES = {
    "heddle_open": [c_char_p, POINTER(OpenOptions), POINTER(c_uint64)],
    "heddle_close": [c_uint64],
    "heddle_manifest": [c_uint64, POINTER(c_char_p)],
    "heddle_slots": [c_uint64, c_char, c_int64, POINTER(c_int64)],
    "heddle_columns": [c_uint64, c_char, c_int64, POINTER(c_int64)],
    "heddle_run": [c_uint64, POINTER(Launch)],
    "heddle_synchronize": [c_uint64],
}
_library = None


def library():
    global _library
    if _library is None:
        opened = _open_library()
        for name, arguments in _SIGNATURES.items():
            function = getattr(opened, name)
            function.argtypes, function.restype = arguments, c_void_p
        opened.heddle_error_kind.argtypes, opened.heddle_error_kind.restype = [c_void_p], c_int32
        opened.heddle_error_message.argtypes, opened.heddle_error_message.restype = [c_void_p], c_char_p
        opened.heddle_error_free.argtypes, opened.heddle_error_free.restype = [c_void_p], None
        _library = opened
    return _library


def check(error):
    """Raises what a call gave back, unless that is null."""
    if error is None:
        return
    kind = library().heddle_error_kind(error)
    message = library().heddle_error_message(error).decode(errors="replace")
    library().heddle_error_free(error)
    raise _KINDS.get(kind, Error)(message)


class Artifact:
    """An open artifact. Closed with the object; opened again in a child of fork()."""

    def __init__(self, folder, device=0):
        self.folder, self.device = str(folder), device
        self._open()
        text = c_char_p()
        check(library().heddle_manifest(self.handle, byref(text)))
        self.manifest_text = text.value.decode()

    def _open(self):
        handle = c_uint64()
        options = OpenOptions(ctypes.sizeof(OpenOptions), 0, self.device)
        check(library().heddle_open(os.fsencode(self.folder), byref(options), byref(handle)))
        self.handle, self.process = handle.value, os.getpid()

    def __del__(self):
        # In a child of fork() there is nothing of ours to close.
        if getattr(self, "process", None) == os.getpid() and _library is not None:
            error = _library.heddle_close(self.handle)
            _library.heddle_error_free(error)

    def _size(self, function, side, tokens):
        if self.process != os.getpid():
            self._open()
        result = c_int64()
        check(getattr(library(), function)(self.handle, side.encode(), tokens, byref(result)))
        return result.value

    def slots(self, side, tokens):
        return self._size("heddle_slots", side, tokens)

    def columns(self, side, tokens):
        return self._size("heddle_columns", side, tokens)

    def run(self, launch):
        if self.process != os.getpid():
            self._open()
        error = library().heddle_run(self.handle, byref(launch))
        if error is not None:
            check(error)
