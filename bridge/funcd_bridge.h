/* The C face of bridge/: Wasmtime cut down to what funcd asks of it. Only src/engine includes this.
 *
 * Handles are thread-safe unless said otherwise. Text is UTF-8. A function that can fail takes
 * `error`, which is filled on failure only and then freed by the caller. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fb_engine fb_engine;
typedef struct fb_program fb_program;
typedef struct fb_task fb_task;
typedef struct fb_snapshot fb_snapshot;
typedef struct fb_snapshot_plan fb_snapshot_plan;
typedef struct fb_http_task fb_http_task;
typedef struct fb_http_instance fb_http_instance;
typedef struct fb_surroundings fb_surroundings;
typedef struct fb_spares fb_spares;

/* Bytes that the bridge has allocated. */
typedef struct fb_bytes {
  uint8_t* data;
  size_t size;
  size_t capacity;
} fb_bytes;
void fb_bytes_free(fb_bytes bytes);

/* A parameter or result of a host function; 16 bytes, as Wasmtime lays them out. */
typedef union fb_value {
  int32_t i32;
  int64_t i64;
  uint8_t v128[16];
} fb_value;

/* What a host function says. */
enum {
  FB_CONTINUE = 0, /* values[0] holds the result */
  FB_STOP = 1,     /* the run ends here; the host knows why */
  FB_WAIT = 2,     /* asked again at each poll until it says something else; `may_wait` only */
};

/* One import that the host serves. `memory` is the guest's exported memory as it is at the moment
 * of the call: valid until the function returns. */
typedef struct fb_host_function {
  const char* name;
  const char* parameters; /* 'i' for i32, 'I' for i64: "iIi" */
  const char* results;    /* "i" or "" */
  bool may_wait; /* parameters "iiii", "ii" or "", result "i" */
  int32_t (*call)(void* guest, uint8_t* memory, size_t memory_size, fb_value* values);
} fb_host_function;

/* Pages that lie next to each other, by address. */
typedef struct fb_region {
  uint64_t start;
  uint64_t end;
  uint64_t categories;
} fb_region;

/* How the bridge reaches the host. Outlives the engine. */
typedef struct fb_host {
  const char* module; /* whose imports: "wasi_snapshot_preview1" */
  const fb_host_function* functions;
  size_t function_count;
  /* An epoch has passed while the guest ran: true ends it, false yields to the poller. */
  bool (*on_epoch)(void* guest);
  /* Descriptors 0, 1 and 2 of guests with mounts; as engine::Stdio. */
  int64_t (*read)(void* guest, uint8_t* into, size_t size);
  int64_t (*write)(void* guest, int descriptor, const uint8_t* bytes, size_t size);
  /* Whether that descriptor has bytes, or room. If not, the task is polled once it may have. */
  bool (*is_ready)(void* guest, int descriptor);
  /* Which pages of a memory may hold something else than zeros or its image, in ascending order: how
   * many regions, or -1 when that is not known or there are more than `count_max`. */
  int64_t (*written)(const uint8_t* base, size_t size, fb_region* regions, size_t count_max);
  /* Of this thread so far: it may only be that something is written to for the first time if there
   * is one more afterwards. */
  uint64_t (*page_faults)(void);
} fb_host;

typedef struct fb_engine_options {
  uint32_t instances_max;
  uint32_t idle_instances_max;  /* beside those: of 0.3, between two requests */
  uint32_t spare_instances_max; /* in all fb_spares: of modules, and as many of components */
  uint32_t table_elements_max;
  uint64_t memory_bytes_ceiling;
  uint64_t keep_resident_bytes;
  uint32_t guest_stack_bytes;
  bool has_epochs;
  bool is_baseline; /* compiles in one pass (Winch): ten times faster, to slower code; no pool */
  bool is_portable; /* code for any processor of this architecture */
} fb_engine_options;

fb_engine* fb_engine_new(const fb_engine_options* options, const fb_host* host, fb_bytes* error);
void fb_engine_delete(fb_engine* engine);
/* Changes with whatever makes compiled code unusable: version, settings, CPU features. */
uint64_t fb_engine_fingerprint(const fb_engine* engine);
void fb_engine_tick(const fb_engine* engine);
/* Whether pages of finished instances are found and reset by PAGEMAP_SCAN (Linux 6.7). */
bool fb_has_pagemap_scan(void);

/* A module or a component, by its first bytes. */
bool fb_compile(const fb_engine* engine, const uint8_t* wasm, size_t size, fb_bytes* code,
                fb_bytes* error);
/* What is compiled of a component of WASI 0.2: the same with fewer core modules. An error says why it
 * is compiled as it is. */
bool fb_fold(const uint8_t* wasm, size_t size, fb_bytes* folded, fb_bytes* error);
bool fb_text_to_wasm(const uint8_t* text, size_t size, fb_bytes* wasm, fb_bytes* error);

/* From compiled code, which is trusted: its machine code runs as it is. With `path` the file is
 * mapped, else `code` is copied. `has_files`: link file calls to Wasmtime's WASI. */
fb_program* fb_program_load(const fb_engine* engine, const char* path, const uint8_t* code,
                            size_t size, bool has_files, fb_bytes* error);
void fb_program_delete(fb_program* program);

enum {
  FB_MODULE = 0,
  FB_HTTP_COMPONENT = 1,    /* exports wasi:http/incoming-handler or wasi:http/handler */
  FB_COMMAND_COMPONENT = 2, /* exports wasi:cli/run */
  FB_OTHER_COMPONENT = 3,
};
int32_t fb_program_kind(const fb_program* program);
/* Whether it is compiled so that its instances can be made as good as new after a run. */
bool fb_program_is_renewable(const fb_program* program);

/* Calls `visit` for each import (module not empty) and export; the texts are valid in the call. A
 * component's import has a module only: the interface. */
typedef void (*fb_visit)(void* context, const char* module, size_t module_size, const char* name,
                         size_t name_size, const char* type, size_t type_size);
void fb_program_externs(const fb_program* program, void* context, fb_visit visit);
/* Bytes of the exported memory at the start; `max` is UINT64_MAX where it has none. */
void fb_program_memory(const fb_program* program, uint64_t* min, uint64_t* max);

typedef struct fb_limits {
  uint64_t memory_bytes_max;
  uint64_t table_elements_max;
} fb_limits;

/* Written while the task is polled. */
typedef struct fb_usage {
  uint64_t memory_bytes; /* all linear memories; they only grow */
  bool is_growth_denied; /* a limit has refused memory or table growth */
} fb_usage;

/* What a guest with mounts gets; all borrowed until fb_task_new returns. */
typedef struct fb_files {
  const char* const* args;
  size_t arg_count;
  const char* const* env; /* name, value, name, value, ... */
  size_t env_count;       /* pairs */
  const char* const* mounts; /* host, guest, host, guest, ... */
  const bool* is_writable;
  size_t mount_count;
  bool is_inherited_stdio; /* the process's own 0, 1, 2; calls may block the thread */
} fb_files;

/* Called, perhaps within a poll and from any thread, when a waiting task can go on. */
typedef struct fb_waker {
  void (*wake)(void* context, uint64_t key);
  void* context;
  uint64_t key;
} fb_waker;

enum {
  FB_RETURNED = 0,
  FB_STOPPED = 1, /* a host function or on_epoch said so */
  FB_EXITED = 2,  /* proc_exit of a guest with mounts; `code` */
  FB_TRAPPED = 3,
  FB_FAILED = 4,    /* not instantiated, wrong entry point */
  FB_EXHAUSTED = 5, /* not instantiated: the pool has no instance, memory, table or stack left */
};
typedef struct fb_ending {
  int32_t kind;
  int32_t code;
  fb_bytes message; /* trapped, failed and exhausted */
  fb_bytes trace;   /* trapped: the guest's frames, one a line */
} fb_ending;

/* Instances of finished runs that are as good as new, for runs on one thread; `count_max` modules and as
 * many components at the most. */
fb_spares* fb_spares_new(uint32_t count_max);
void fb_spares_delete(fb_spares* spares);
/* Drops those that no run has wanted since the last call but one; how many there still are. */
size_t fb_spares_sweep(fb_spares* spares);

/* A run of `entry` (a function without parameters; empty: instantiate only; of a component any other
 * text stands for wasi:cli/run) in a fresh or a spare instance; of a module's entry other than _start after
 * _initialize, where it exports one.
 * Nothing runs before the first poll. `guest`, `usage` and `spares`, which may be null, outlive the
 * task. Not thread-safe. */
fb_task* fb_task_new(const fb_program* program, const char* entry, void* guest,
                     const fb_limits* limits, fb_usage* usage, const fb_files* files,
                     const fb_waker* waker, fb_spares* spares, fb_bytes* error);
/* True when the run has ended; `ending` is then filled, and the task is not polled again. */
bool fb_task_poll(fb_task* task, fb_ending* ending);
/* Ends a run that has not ended. The waker is not called any more once this returns. */
void fb_task_delete(fb_task* task);

/* What a component that answers requests may see and reach; all borrowed until the call returns. */
typedef struct fb_outbound_rule {
  bool is_https;
  uint16_t port;
  const char* host; /* lower case; "*.example.com"; "*"; an address without brackets */
} fb_outbound_rule;
typedef struct fb_surroundings_spec {
  const char* const* env; /* name, value, name, value, ... */
  size_t env_count;       /* pairs */
  const char* const* mounts; /* host, guest, host, guest, ... */
  const bool* is_writable;
  size_t mount_count;
  const fb_outbound_rule* rules; /* none: no request is sent */
  size_t rule_count;
  uint64_t outbound_request_bytes_max;
  uint64_t outbound_response_bytes_max;
  uint64_t connect_timeout_ms; /* name resolution and TLS included */
} fb_surroundings_spec;
fb_surroundings* fb_surroundings_new(const fb_surroundings_spec* spec);
/* Runs that were given it go on. */
void fb_surroundings_delete(fb_surroundings* surroundings);

typedef struct fb_text {
  const char* data;
  size_t size;
} fb_text;
typedef struct fb_field {
  fb_text name;
  fb_text value;
} fb_field;
typedef struct fb_http_head {
  fb_text method;
  fb_text scheme;
  fb_text authority;
  fb_text path_with_query;
  const fb_field* fields;
  size_t field_count;
  bool has_body; /* else it has ended already */
} fb_http_head;

/* One request to a component of kind FB_HTTP_COMPONENT in a fresh or a spare instance. Nothing runs before the
 * first poll. `guest`, `usage` and `spares` outlive the task, `surroundings` and `spares` may be null.
 * Not thread-safe. */
fb_http_task* fb_http_task_new(const fb_program* program, fb_spares* spares,
                               const fb_http_head* head, void* guest, const fb_limits* limits,
                               fb_usage* usage, const fb_surroundings* surroundings,
                               const fb_waker* waker, fb_bytes* error);
/* Another request to an instance, which belongs to the task from here on, or is gone when this fails.
 * `guest` and `usage` that it was made with hold for this run too. */
fb_http_task* fb_http_task_again(fb_http_instance* instance, const fb_http_head* head,
                                 const fb_waker* waker, fb_bytes* error);
/* Has the instance stay when its run has ended well. */
void fb_http_task_keep(fb_http_task* task);
/* The instance of a run that is done, for another request; null when there is none: of 0.2, of a run
 * that has failed, or that has left something under way. It runs nothing of itself. Not thread-safe. */
fb_http_instance* fb_http_take_instance(fb_http_task* task);
void fb_http_instance_delete(fb_http_instance* instance);
enum {
  FB_DONE = 0,     /* the run is over; `ending` is filled, once */
  FB_RUNNABLE = 1, /* to be polled again */
  FB_WAITING = 2,  /* the waker is called, once, when there is something to do */
};
int32_t fb_http_task_poll(fb_http_task* task, fb_ending* ending);
/* Ends a run that has not ended; what it has sent can still be taken. */
void fb_http_task_stop(fb_http_task* task);
/* The waker is not called any more once this returns. */
void fb_http_task_delete(fb_http_task* task);

/* The request's body. What lies ready for the guest is bounded; SIZE_MAX when nobody reads it. */
#define FB_REQUEST_BUFFER_BYTES (64U << 10)
size_t fb_http_body_room(const fb_http_task* task);
bool fb_http_is_body_dropped(const fb_http_task* task);
size_t fb_http_feed(fb_http_task* task, const uint8_t* bytes, size_t size);
void fb_http_finish_body(fb_http_task* task, const fb_field* trailers, size_t count);
enum { FB_TOO_LARGE = 0, FB_TIMED_OUT = 1, FB_MALFORMED = 2, FB_HUNG_UP = 3 };
void fb_http_fail_body(fb_http_task* task, int32_t why);

enum {
  FB_ANSWER_PENDING = 0,
  FB_ANSWER_HEAD = 1,
  FB_ANSWER_ERROR_CODE = 2, /* `code` names it */
  FB_ANSWER_DROPPED = 3,
  FB_ANSWER_NONE = 4, /* and the run is over */
};
int32_t fb_http_answer(const fb_http_task* task, fb_bytes* code);
/* Calls `visit` for each field of a response; the texts are valid in the call. */
typedef void (*fb_visit_field)(void* context, const char* name, size_t name_size, const char* value,
                               size_t value_size);
/* The status, once; 0 when there is no head to take. */
int32_t fb_http_take_head(fb_http_task* task, void* context, fb_visit_field visit);

/* The response's body, two pieces of which may wait to be taken. */
#define FB_RESPONSE_BUFFER_BYTES (128U << 10)
enum { FB_BODY_MORE = 0, FB_BODY_END = 1, FB_BODY_FAILED = 2 /* `error` says why */ };
/* Calls `sink` with what there is, at most `bytes_max`. */
typedef void (*fb_sink)(void* context, const uint8_t* bytes, size_t size);
int32_t fb_http_take_body(fb_http_task* task, size_t bytes_max, void* context, fb_sink sink,
                          fb_bytes* error);
void fb_http_trailers(const fb_http_task* task, void* context, fb_visit_field visit);

/* Whether a module exports the functions of a reactor, _initialize and handle, and no _start. */
bool fb_is_reactor(const uint8_t* wasm, size_t size);

/* Whether a module can be stopped where its snapshot is taken, without a warm-up, as far as its code
 * tells; if not, `error` says why. */
bool fb_may_snapshot(const uint8_t* wasm, size_t size, fb_bytes* error);

/* How an artifact comes to what starts from the memory that a run of it has left. Of a reactor the
 * build calls _initialize and, with `is_warm`, funcd_warm or handle; a command is stopped before main
 * or, with `is_warm`, when that has returned; a component, with `is_warm` only, answers a request.
 * Fails for what cannot be stopped there. */
fb_snapshot_plan* fb_snapshot_plan_new(const uint8_t* wasm, size_t size, bool is_warm,
                                       fb_bytes* error);
/* What is to be compiled for it, once: for the build, and for plain runs, empty where the first does
 * for both. */
void fb_snapshot_plan_take(fb_snapshot_plan* plan, fb_bytes* build, fb_bytes* plain);
void fb_snapshot_plan_delete(fb_snapshot_plan* plan);
/* Compiles one of them, quickly where that can be, for these runs only. */
bool fb_snapshot_compile(const fb_engine* engine, const uint8_t* wasm, size_t size, fb_bytes* code,
                         fb_bytes* error);
/* Consumes the plan. `build` and `plain` are what fb_snapshot_compile has made of it, here or in a
 * process that is trusted as much: native code, which is run as it is. */
fb_snapshot* fb_snapshot_new(const fb_engine* engine, fb_snapshot_plan* plan, const uint8_t* build,
                             size_t build_size, const uint8_t* plain, size_t plain_size,
                             fb_bytes* error);
/* Of a module: the run that leaves the snapshot, or a plain one as an invocation without it is. As
 * fb_task_new; `snapshot` outlives the task. */
fb_task* fb_snapshot_run(const fb_snapshot* snapshot, bool is_build, void* guest,
                         const fb_limits* limits, fb_usage* usage);
/* Of a component, whose runs are requests: the build's leaves the snapshot once the guest's run is
 * over. As fb_http_task_new; `snapshot` outlives the task. */
fb_http_task* fb_snapshot_request(const fb_snapshot* snapshot, bool is_build,
                                  const fb_http_head* head, void* guest, const fb_limits* limits,
                                  fb_usage* usage, const fb_surroundings* surroundings,
                                  const fb_waker* waker, fb_bytes* error);
/* The function that the build has called last. */
void fb_snapshot_last_call(const fb_snapshot* snapshot, fb_bytes* name);
/* The module that starts from it, once after a build has returned. Invocations call handle of it,
 * or _start. Its exports "funcd:asked:clock" and so on say what the build has `asked` for; those of a
 * component, "funcd:asked/clock" and so on, what it has asked for itself. */
enum { FB_ASKED_CLOCK = 1, FB_ASKED_RANDOM = 2, FB_ASKED_ENVIRONMENT = 4 };
bool fb_snapshot_module(const fb_snapshot* snapshot, uint32_t asked, fb_bytes* wasm,
                        fb_bytes* error);
void fb_snapshot_delete(fb_snapshot* snapshot);
/* Changes when another snapshot is made of the same module. */
uint32_t fb_snapshot_recipe(void);

#ifdef __cplusplus
}
#endif
