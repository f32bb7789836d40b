#include "server/openapi.h"

namespace funcd::server {
namespace {

constexpr std::string_view kDocument = R"json({
  "openapi": "3.1.0",
  "info": {
    "title": "funcd admin API",
    "version": ")json" FUNCD_VERSION R"json(",
    "description": "Health, metrics and status of one funcd server."
  },
  "paths": {
    "/": {
      "get": {
        "summary": "What there is",
        "responses": { "200": { "$ref": "#/components/responses/Index" } }
      }
    },
    "/healthz": {
      "get": {
        "summary": "Whether the process lives and its loop turns",
        "responses": { "200": { "$ref": "#/components/responses/State" } }
      }
    },
    "/readyz": {
      "get": {
        "summary": "Whether the server should get requests",
        "description": "503 until all that lay in the source at start is decided; from SIGTERM on",
        "responses": {
          "200": { "$ref": "#/components/responses/State" },
          "503": { "$ref": "#/components/responses/State" }
        }
      }
    },
    "/metrics": {
      "get": {
        "summary": "Counters in Prometheus' text format",
        "responses": {
          "200": {
            "description": "text format 0.0.4",
            "content": { "text/plain": { "schema": { "type": "string" } } }
          }
        }
      }
    },
    "/v1/status": {
      "get": {
        "summary": "The server as a whole",
        "responses": {
          "200": {
            "description": "the status",
            "content": {
              "application/json": { "schema": { "$ref": "#/components/schemas/Status" } }
            }
          }
        }
      }
    },
    "/v1/functions": {
      "get": {
        "summary": "All functions, and the files that are not served",
        "responses": {
          "200": {
            "description": "the functions, sorted by name",
            "content": {
              "application/json": { "schema": { "$ref": "#/components/schemas/Functions" } }
            }
          }
        }
      }
    },
    "/v1/functions/{name}": {
      "get": {
        "summary": "One function",
        "parameters": [
          {
            "name": "name",
            "in": "path",
            "required": true,
            "description": "may hold slashes, as in api/users",
            "schema": { "type": "string" },
            "allowReserved": true
          }
        ],
        "responses": {
          "200": {
            "description": "the function",
            "content": {
              "application/json": { "schema": { "$ref": "#/components/schemas/Function" } }
            }
          },
          "404": { "$ref": "#/components/responses/Error" }
        }
      }
    },
    "/v1/functions/{name}/logs": {
      "get": {
        "summary": "What invocations of one function left to read: failures and stderr",
        "description": "The last 256 entries are kept, or fewer where they are long",
        "parameters": [
          {
            "name": "name",
            "in": "path",
            "required": true,
            "description": "may hold slashes; one before a name's own last part 'logs' is %2F",
            "schema": { "type": "string" },
            "allowReserved": true
          },
          {
            "name": "after",
            "in": "query",
            "description": "only entries with a greater number",
            "schema": { "type": "integer", "minimum": 0, "default": 0 }
          },
          {
            "name": "limit",
            "in": "query",
            "description": "the newest so many",
            "schema": { "type": "integer", "minimum": 0, "default": 100 }
          }
        ],
        "responses": {
          "200": {
            "description": "the entries, oldest first",
            "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Logs" } } }
          },
          "400": { "$ref": "#/components/responses/Error" },
          "404": { "$ref": "#/components/responses/Error" }
        }
      }
    },
    "/v1/source/refresh": {
      "post": {
        "summary": "Looks at the source's bucket now instead of when it is due",
        "description": "Answers at once; a folder is watched and needs none",
        "responses": {
          "200": { "$ref": "#/components/responses/Refresh" },
          "202": { "$ref": "#/components/responses/Refresh" }
        }
      }
    },
    "/openapi.json": {
      "get": {
        "summary": "This document",
        "responses": {
          "200": {
            "description": "OpenAPI 3.1",
            "content": { "application/json": { "schema": { "type": "object" } } }
          }
        }
      }
    }
  },
  "components": {
    "responses": {
      "Index": {
        "description": "paths of this API",
        "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Index" } } }
      },
      "State": {
        "description": "the state in one word",
        "content": { "application/json": { "schema": { "$ref": "#/components/schemas/State" } } }
      },
      "Refresh": {
        "description": "what is done now",
        "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Refresh" } } }
      },
      "Error": {
        "description": "why there is no answer",
        "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } }
      }
    },
    "schemas": {
      "Index": {
        "type": "object",
        "required": ["endpoints"],
        "properties": { "endpoints": { "type": "array", "items": { "type": "string" } } },
        "additionalProperties": false
      },
      "Refresh": {
        "type": "object",
        "required": ["source", "detail"],
        "properties": { "source": { "type": "string" }, "detail": { "type": "string" } },
        "additionalProperties": false
      },
      "Bucket": {
        "type": ["object", "null"],
        "description": "how the source's bucket stands; null where the source is a folder",
        "required": ["endpoint", "state", "synced_at", "away_since", "error", "objects", "bytes",
                     "looks", "failures", "bytes_read", "poll_ms", "copy"],
        "properties": {
          "endpoint": { "type": "string" },
          "state": { "type": "string", "enum": ["starting", "current", "away"] },
          "synced_at": { "type": ["string", "null"], "format": "date-time" },
          "away_since": { "type": ["string", "null"], "format": "date-time" },
          "error": { "type": ["string", "null"], "description": "why the last look has failed" },
          "objects": { "type": "integer", "description": "in the last good copy" },
          "bytes": { "type": "integer" },
          "looks": { "type": "integer" },
          "failures": { "type": "integer", "description": "looks that failed" },
          "bytes_read": { "type": "integer" },
          "poll_ms": { "type": "integer" },
          "copy": { "type": "string", "description": "folder of the last good copy" }
        },
        "additionalProperties": false
      },
      "State": {
        "type": "object",
        "required": ["status"],
        "properties": {
          "status": { "type": "string", "enum": ["ok", "ready", "starting", "draining"] }
        },
        "additionalProperties": false
      },
      "Error": {
        "type": "object",
        "required": ["detail", "reason"],
        "properties": {
          "detail": { "type": "string", "description": "for people" },
          "reason": { "type": "string", "enum": ["bad-request", "not-found", "method-not-allowed"] }
        },
        "additionalProperties": false
      },
      "Status": {
        "type": "object",
        "required": ["version", "started_at", "uptime_seconds", "pid", "listen", "admin",
          "config_file", "workers", "source", "source_path", "source_error", "bucket",
          "is_first_scan_done", "is_draining",
          "functions", "problems", "engine", "programs", "requests_in_flight", "requests_waiting",
          "connections_open", "rss_bytes"],
        "properties": {
          "version": { "type": "string" },
          "started_at": { "type": "string", "format": "date-time" },
          "uptime_seconds": { "type": "integer" },
          "pid": { "type": "integer" },
          "listen": { "type": "string", "format": "uri" },
          "admin": { "type": "string", "format": "uri" },
          "config_file": { "type": ["string", "null"] },
          "workers": { "type": "integer" },
          "source": { "type": "string" },
          "source_path": { "type": ["string", "null"], "description": "the folder, absolute; null for a bucket" },
          "source_error": { "type": ["string", "null"] },
          "bucket": { "$ref": "#/components/schemas/Bucket" },
          "is_first_scan_done": { "type": "boolean" },
          "is_draining": { "type": "boolean" },
          "functions": {
            "description": "how many are in each state",
            "type": "object",
            "required": ["live", "stale", "failed", "building"],
            "properties": {
              "live": { "type": "integer" },
              "stale": { "type": "integer" },
              "failed": { "type": "integer" },
              "building": { "type": "integer" }
            },
            "additionalProperties": false
          },
          "problems": { "type": "array", "items": { "$ref": "#/components/schemas/Problem" } },
          "engine": {
            "type": "object",
            "required": ["instances_max", "fingerprint"],
            "properties": {
              "instances_max": { "type": "integer" },
              "fingerprint": { "type": "string" }
            },
            "additionalProperties": false
          },
          "programs": {
            "type": "object",
            "description": "in memory now; loaded from the cache and dropped since the start",
            "required": ["loaded", "loads", "unloads"],
            "properties": {
              "loaded": { "type": "integer" },
              "loads": { "type": "integer" },
              "unloads": { "type": "integer" }
            }
          },
          "requests_in_flight": { "type": "integer" },
          "requests_waiting": { "type": "integer" },
          "connections_open": { "type": "integer" },
          "rss_bytes": { "type": "integer" }
        },
        "additionalProperties": false
      },
      "Problem": {
        "description": "a file that is reported and not served",
        "type": "object",
        "required": ["path", "message"],
        "properties": { "path": { "type": "string" }, "message": { "type": "string" } },
        "additionalProperties": false
      },
      "Functions": {
        "type": "object",
        "required": ["functions", "problems"],
        "properties": {
          "functions": { "type": "array", "items": { "$ref": "#/components/schemas/Function" } },
          "problems": { "type": "array", "items": { "$ref": "#/components/schemas/Problem" } }
        },
        "additionalProperties": false
      },
      "Function": {
        "type": "object",
        "required": ["name", "state", "contract", "host", "route", "url", "methods", "limits", "reuse", "digest",
          "sidecar_digest", "schema_digests", "artifact_bytes", "published_at", "build_ms", "from_cache", "code", "error",
          "failed_at", "snapshot", "is_loaded", "in_flight", "canary"],
        "properties": {
          "name": { "type": "string" },
          "state": { "type": "string", "enum": ["building", "live", "stale", "failed"] },
          "contract": { "type": ["string", "null"] },
          "host": {
            "type": ["string", "null"],
            "description": "the only one that the live revision answers for; null: every one"
          },
          "route": { "type": ["string", "null"], "description": "of the live revision" },
          "url": { "type": ["string", "null"], "description": "of the live revision" },
          "methods": {
            "type": ["array", "null"],
            "description": "empty: all",
            "items": { "type": "string" }
          },
          "limits": { "oneOf": [{ "$ref": "#/components/schemas/Limits" }, { "type": "null" }] },
          "reuse": {
            "type": ["integer", "null"],
            "description": "requests that an instance answers at the most"
          },
          "digest": { "type": ["string", "null"], "description": "SHA-256 of the live artifact" },
          "sidecar_digest": {
            "type": ["string", "null"],
            "description": "SHA-256 of the sidecar that is live with it"
          },
          "schema_digests": {
            "type": ["object", "null"],
            "description": "SHA-256 of the schemas that are live with it, by path as the sidecar names them",
            "additionalProperties": { "type": "string" }
          },
          "artifact_bytes": { "type": "integer" },
          "published_at": { "type": ["string", "null"], "format": "date-time" },
          "build_ms": { "type": ["number", "null"] },
          "from_cache": { "type": "boolean", "description": "its compiled code was on disk" },
          "code": {
            "type": ["string", "null"],
            "description": "of the live revision: baseline until optimized is there",
            "enum": ["baseline", "optimized", null]
          },
          "error": { "type": ["string", "null"], "description": "why the newest is not live" },
          "failed_at": { "type": ["string", "null"], "format": "date-time" },
          "snapshot": {
            "type": ["object", "null"],
            "description": "whether it starts from a snapshot; null where none is wanted",
            "required": ["used", "reason", "asked_for"],
            "properties": {
              "used": { "type": "boolean" },
              "reason": { "type": ["string", "null"], "description": "why it is not used" },
              "asked_for": {
                "type": "array",
                "description": "what the program has asked the host for before it",
                "items": { "type": "string", "enum": ["clock", "random", "environment"] }
              }
            },
            "additionalProperties": false
          },
          "is_loaded": {
            "type": "boolean",
            "description": "its code is in memory; else it comes there with the next request"
          },
          "in_flight": { "type": "integer", "description": "invocations that run now" },
          "canary": {
            "type": ["object", "null"],
            "description": "of a canary, 'hello@2'; else null",
            "required": ["of", "number", "weight", "sticky"],
            "properties": {
              "of": { "type": "string", "description": "its function" },
              "number": { "type": "integer" },
              "weight": {
                "type": ["string", "null"],
                "description": "its share of the requests, 5%; null where it cannot get any"
              },
              "sticky": {
                "type": ["string", "null"],
                "description": "none, cookie or header:NAME"
              }
            },
            "additionalProperties": false
          },
          "env": {
            "type": "array",
            "description": "names only, in the details of a function that is live",
            "items": { "type": "string" }
          },
          "mounts": {
            "type": "array",
            "description": "in the details of a function that is live",
            "items": { "$ref": "#/components/schemas/Mount" }
          },
          "invocations": { "$ref": "#/components/schemas/Invocations" }
        },
        "additionalProperties": false
      },
      "Logs": {
        "type": "object",
        "required": ["function", "last_number", "entries"],
        "properties": {
          "function": { "type": "string" },
          "last_number": { "type": "integer", "description": "of the newest entry ever" },
          "entries": { "type": "array", "items": { "$ref": "#/components/schemas/LogEntry" } }
        },
        "additionalProperties": false
      },
      "LogEntry": {
        "description": "an invocation that failed, or wrote to stderr",
        "type": "object",
        "required": ["number", "at", "invocation", "status", "reason", "detail", "trace",
          "stderr"],
        "properties": {
          "number": { "type": "integer" },
          "at": { "type": "string", "format": "date-time" },
          "invocation": { "type": "string", "description": "as in responses and the server's log" },
          "status": { "type": "integer", "description": "of the response" },
          "reason": { "type": ["string", "null"], "description": "null: it did not fail" },
          "detail": { "type": ["string", "null"] },
          "trace": { "type": ["string", "null"], "description": "the guest's frames, one a line" },
          "stderr": { "type": ["string", "null"] }
        },
        "additionalProperties": false
      },
      "Limits": {
        "type": "object",
        "required": ["timeout_ms", "memory_bytes", "request_body_bytes", "response_body_bytes",
          "stderr_bytes", "concurrency"],
        "properties": {
          "timeout_ms": { "type": "integer" },
          "memory_bytes": { "type": "integer" },
          "request_body_bytes": { "type": "integer" },
          "response_body_bytes": { "type": "integer" },
          "stderr_bytes": { "type": "integer" },
          "concurrency": { "type": "integer" }
        },
        "additionalProperties": false
      },
      "Mount": {
        "type": "object",
        "required": ["host", "guest", "writable"],
        "properties": {
          "host": { "type": "string" },
          "guest": { "type": "string" },
          "writable": { "type": "boolean" }
        },
        "additionalProperties": false
      },
      "Invocations": {
        "description": "since the server has started; in the details of a function that is live",
        "type": "object",
        "required": ["count", "by_status", "by_reason", "elapsed_seconds", "guest_seconds",
          "bytes_in", "bytes_out"],
        "properties": {
          "count": { "type": "integer" },
          "by_status": {
            "type": "object",
            "description": "1xx to 5xx",
            "additionalProperties": { "type": "integer" }
          },
          "by_reason": {
            "type": "object",
            "description": "failures by their word, those that have happened",
            "additionalProperties": { "type": "integer" }
          },
          "elapsed_seconds": { "type": "number" },
          "guest_seconds": { "type": "number" },
          "bytes_in": { "type": "integer" },
          "bytes_out": { "type": "integer" }
        },
        "additionalProperties": false
      }
    }
  }
}
)json";

}  // namespace

std::string_view openapi_json() {
  return kDocument;
}

}  // namespace funcd::server
