"""Where the server's own host functions answer otherwise than Wasmtime's, on purpose.

By name of the probe: the errno that they give. Wasmtime's answer is asserted as well, so that an
entry which is no longer true fails.
"""

EBADF, EINVAL, SUCCESS = 8, 28, 0

# A value that is none of its enumeration: Wasmtime traps, we say EINVAL as POSIX does.
_NO_SUCH_VALUE = [
    "clock_time_get-4-0-1024", "clock_time_get--1-0-1024", "clock_res_get-4-1024",
    "clock_res_get--1-1024", "proc_raise-99", "fd_seek-1-0-9-1024", "fd_seek-99-0-9-1024",
    "fd_advise-1-0-0-77", "fd_advise-99-0-0-77", "fd_fdstat_set_flags-1-64",
    "fd_fdstat_set_flags-99-64", "sock_shutdown-1-9", "sock_shutdown-99-9",
]
# There is no folder to open from, whatever the path is: we do not look at it. Wasmtime traps.
_NO_FOLDER = ["path_open-1-0-4294967280-3-0-0-0-0-1024", "path_open-3-0-4294967280-3-0-0-0-0-1024"]
# The descriptor comes first. Wasmtime looks at the flags before it, and says EINVAL.
_DESCRIPTOR_FIRST = ["fd_filestat_set_times-1-0-0-3", "fd_filestat_set_times-99-0-0-3"]
# Reading into nothing reads nothing, as readv(2). Wasmtime says EINTR.
_INTO_NOTHING = ["fd_read-0-2100-0-1056"]

ERRNO_OF_OURS: dict[str, int] = (
    dict.fromkeys(_NO_SUCH_VALUE, EINVAL) | dict.fromkeys(_NO_FOLDER, EBADF)
    | dict.fromkeys(_DESCRIPTOR_FIRST, EBADF) | dict.fromkeys(_INTO_NOTHING, SUCCESS))
