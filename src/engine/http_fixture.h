#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "engine/shimmed_fixture.h"

namespace funcd::engine {

// How the core modules of what is made below are linked.
enum class Linking : std::uint8_t { plain, shimmed };
inline Linking linking = Linking::plain;

// Error codes as the standard has them, 0.2 and 0.3, within the instance type of wasi:http/types.
inline constexpr std::string_view kHttpErrorCode = R"(
    (type $dns0 (record (field "rcode" (option string)) (field "info-code" (option u16))))
    (export "DNS-error-payload" (type $dns (eq $dns0)))
    (type $tls0 (record (field "alert-id" (option u8)) (field "alert-message" (option string))))
    (export "TLS-alert-received-payload" (type $tls (eq $tls0)))
    (type $size0 (record (field "field-name" (option string)) (field "field-size" (option u32))))
    (export "field-size-payload" (type $size (eq $size0)))
    (type $code0 (variant (case "DNS-timeout") (case "DNS-error" $dns)
      (case "destination-not-found") (case "destination-unavailable")
      (case "destination-IP-prohibited") (case "destination-IP-unroutable")
      (case "connection-refused") (case "connection-terminated") (case "connection-timeout")
      (case "connection-read-timeout") (case "connection-write-timeout")
      (case "connection-limit-reached") (case "TLS-protocol-error")
      (case "TLS-certificate-error") (case "TLS-alert-received" $tls)
      (case "HTTP-request-denied") (case "HTTP-request-length-required")
      (case "HTTP-request-body-size" (option u64)) (case "HTTP-request-method-invalid")
      (case "HTTP-request-URI-invalid") (case "HTTP-request-URI-too-long")
      (case "HTTP-request-header-section-size" (option u32))
      (case "HTTP-request-header-size" (option $size))
      (case "HTTP-request-trailer-section-size" (option u32))
      (case "HTTP-request-trailer-size" $size) (case "HTTP-response-incomplete")
      (case "HTTP-response-header-section-size" (option u32))
      (case "HTTP-response-header-size" $size) (case "HTTP-response-body-size" (option u64))
      (case "HTTP-response-trailer-section-size" (option u32))
      (case "HTTP-response-trailer-size" $size)
      (case "HTTP-response-transfer-coding" (option string))
      (case "HTTP-response-content-coding" (option string)) (case "HTTP-response-timeout")
      (case "HTTP-upgrade-failed") (case "HTTP-protocol-error") (case "loop-detected")
      (case "configuration-error") (case "internal-error" (option string))))
    (export "error-code" (type $code (eq $code0))))";

// A component in text whose wasi:http/incoming-handler@0.2 runs `body` with $request and $outparam,
// and what such a body calls. Of the tests only.
//
//   $fields -> fields                   $field(fields, name, name size, value, value size)
//   $begin(outparam, fields) -> body    sends the head, status 200
//   $open(body) -> stream               $say(stream, bytes, size) -> 0 when they were taken
//   $close(body, stream) -> 0 when good
//   $incoming(request) -> stream        $hear(stream, size) -> 0 when bytes came: $heard,
//   $heard_size $sleep(nanoseconds)                 $reset forgets what was heard $refuse(outparam,
//   code)             $drop_outparam(outparam) $drop_body(body) $drop_stream(stream)
//   $drop_request(request)
inline std::string http_component(std::string_view body, std::string_view functions = "") {
  // Parts of the interfaces, as the standard has them: a component may import what it needs.
  static constexpr std::string_view kImports = R"(
  (import "wasi:io/poll@0.2.0" (instance $poll
    (export "pollable" (type $pollable (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $pollable))))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (alias outer 1 $pollable (type $pollable0))
    (export "pollable" (type $pollable (eq $pollable0)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $pollable))))))
  (import "wasi:io/error@0.2.0" (instance $io-error (export "error" (type (sub resource)))))
  (alias export $io-error "error" (type $error))
  (import "wasi:io/streams@0.2.0" (instance $streams
    (export "output-stream" (type $out (sub resource)))
    (export "input-stream" (type $in (sub resource)))
    (alias outer 1 $error (type $error0))
    (export "error" (type $error (eq $error0)))
    (type $failure0 (variant (case "last-operation-failed" (own $error)) (case "closed")))
    (export "stream-error" (type $failure (eq $failure0)))
    (export "[method]output-stream.blocking-write-and-flush"
      (func (param "self" (borrow $out)) (param "contents" (list u8))
            (result (result (error $failure)))))
    (export "[method]input-stream.blocking-read"
      (func (param "self" (borrow $in)) (param "len" u64)
            (result (result (list u8) (error $failure)))))))
  (alias export $streams "output-stream" (type $out))
  (alias export $streams "input-stream" (type $in))
  (import "wasi:http/types@0.2.0" (instance $http
    (alias outer 1 $out (type $out0))
    (alias outer 1 $in (type $in0))
    (export "output-stream" (type $out (eq $out0)))
    (export "input-stream" (type $in (eq $in0)))
)";
  static constexpr std::string_view kMoreImports = R"(
    (type $bad0 (variant (case "invalid-syntax") (case "forbidden") (case "immutable")))
    (export "header-error" (type $bad (eq $bad0)))
    (export "fields" (type $fields (sub resource)))
    (export "incoming-request" (type $request (sub resource)))
    (export "incoming-body" (type $incoming (sub resource)))
    (export "outgoing-response" (type $response (sub resource)))
    (export "outgoing-body" (type $outgoing (sub resource)))
    (export "response-outparam" (type $outparam (sub resource)))
    (export "[constructor]fields" (func (result (own $fields))))
    (export "[method]fields.append"
      (func (param "self" (borrow $fields)) (param "name" string) (param "value" (list u8))
            (result (result (error $bad)))))
    (export "[method]incoming-request.consume"
      (func (param "self" (borrow $request)) (result (result (own $incoming)))))
    (export "[method]incoming-body.stream"
      (func (param "self" (borrow $incoming)) (result (result (own $in)))))
    (export "[constructor]outgoing-response"
      (func (param "headers" (own $fields)) (result (own $response))))
    (export "[method]outgoing-response.body"
      (func (param "self" (borrow $response)) (result (result (own $outgoing)))))
    (export "[method]outgoing-body.write"
      (func (param "self" (borrow $outgoing)) (result (result (own $out)))))
    (export "[static]outgoing-body.finish"
      (func (param "this" (own $outgoing)) (param "trailers" (option (own $fields)))
            (result (result (error $code)))))
    (export "[static]response-outparam.set"
      (func (param "param" (own $outparam))
            (param "response" (result (own $response) (error $code)))))))
  (alias export $http "outgoing-body" (type $outgoing))
  (alias export $http "incoming-request" (type $request))
  (alias export $http "response-outparam" (type $outparam))
  (core module $libc
    (memory (export "memory") 8)
    (global $next (mut i32) (i32.const 4096))
    (func (export "reset") (global.set $next (i32.const 4096)))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
      (global.set $next (i32.add (local.get $at) (local.get 3)))
      (local.get $at)))
  (core instance $libc (instantiate $libc))
  (alias core export $libc "memory" (core memory $memory))
  (alias core export $libc "realloc" (core func $realloc))
  (core func $l_block (canon lower (func $poll "[method]pollable.block")))
  (core func $l_sleep (canon lower (func $clock "subscribe-duration")))
  (core func $l_fields (canon lower (func $http "[constructor]fields")))
  (core func $l_append (canon lower (func $http "[method]fields.append")
    (memory $memory) (realloc $realloc)))
  (core func $l_consume (canon lower (func $http "[method]incoming-request.consume")
    (memory $memory)))
  (core func $l_stream (canon lower (func $http "[method]incoming-body.stream")
    (memory $memory)))
  (core func $l_response (canon lower (func $http "[constructor]outgoing-response")))
  (core func $l_body (canon lower (func $http "[method]outgoing-response.body")
    (memory $memory)))
  (core func $l_write (canon lower (func $http "[method]outgoing-body.write")
    (memory $memory)))
  (core func $l_finish (canon lower (func $http "[static]outgoing-body.finish")
    (memory $memory) (realloc $realloc)))
  (core func $l_set (canon lower (func $http "[static]response-outparam.set")
    (memory $memory) (realloc $realloc)))
  (core func $l_say (canon lower (func $streams "[method]output-stream.blocking-write-and-flush")
    (memory $memory)))
  (core func $l_hear (canon lower (func $streams "[method]input-stream.blocking-read")
    (memory $memory) (realloc $realloc)))
  (core func $l_drop_out (canon resource.drop $out))
  (core func $l_drop_in (canon resource.drop $in))
  (core func $l_drop_body (canon resource.drop $outgoing))
  (core func $l_drop_request (canon resource.drop $request))
  (core func $l_drop_outparam (canon resource.drop $outparam)))";
  static constexpr std::string_view kCalls = R"(
    (import "libc" "memory" (memory 8))
    (import "libc" "reset" (func $reset))
    (import "host" "block" (func $block (param i32)))
    (import "host" "sleep" (func $subscribe (param i64) (result i32)))
    (import "host" "fields" (func $fields (result i32)))
    (import "host" "append" (func $append (param i32 i32 i32 i32 i32 i32)))
    (import "host" "consume" (func $consume (param i32 i32)))
    (import "host" "stream" (func $stream (param i32 i32)))
    (import "host" "response" (func $response (param i32) (result i32)))
    (import "host" "body" (func $body (param i32 i32)))
    (import "host" "write" (func $write (param i32 i32)))
    (import "host" "finish" (func $finish (param i32 i32 i32 i32)))
    (import "host" "set" (func $set (param i32 i32 i32 i32 i64 i32 i32 i32 i32)))
    (import "host" "say" (func $say_to (param i32 i32 i32 i32)))
    (import "host" "hear" (func $hear_from (param i32 i64 i32)))
    (import "host" "drop_stream" (func $drop_stream (param i32)))
    (import "host" "drop_in" (func $drop_in (param i32)))
    (import "host" "drop_body" (func $drop_body (param i32)))
    (import "host" "drop_request" (func $drop_request (param i32)))
    (import "host" "drop_outparam" (func $drop_outparam (param i32)))
    (data (i32.const 1024) "content-length")
    (data (i32.const 1040) "10")
    (data (i32.const 1048) "hello")
    (data (i32.const 1056) "hello world!")
    (func $field (param i32 i32 i32 i32 i32)
      (call $append (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4)
                    (i32.const 512)))
    (func $begin (param $outparam i32) (param $head i32) (result i32) (local $response i32)
      (local.set $response (call $response (local.get $head)))
      (call $body (local.get $response) (i32.const 512))
      (call $set (local.get $outparam) (i32.const 0) (local.get $response) (i32.const 0)
                 (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
      (i32.load (i32.const 516)))
    (func $refuse (param $outparam i32) (param $code i32)
      (call $set (local.get $outparam) (i32.const 1) (local.get $code) (i32.const 0)
                 (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))
    (func $open (param $body i32) (result i32)
      (call $write (local.get $body) (i32.const 512))
      (i32.load (i32.const 516)))
    (func $say (param $to i32) (param $at i32) (param $size i32) (result i32)
      (call $say_to (local.get $to) (local.get $at) (local.get $size) (i32.const 512))
      (i32.load8_u (i32.const 512)))
    (func $close (param $body i32) (param $stream i32) (result i32)
      (call $drop_stream (local.get $stream))
      (call $finish (local.get $body) (i32.const 0) (i32.const 0) (i32.const 512))
      (i32.load8_u (i32.const 512)))
    (func $incoming (param $request i32) (result i32)
      (call $consume (local.get $request) (i32.const 512))
      (call $stream (i32.load (i32.const 516)) (i32.const 512))
      (i32.load (i32.const 516)))
    (func $hear (param $from i32) (param $size i32) (result i32)
      (call $hear_from (local.get $from) (i64.extend_i32_u (local.get $size)) (i32.const 600))
      (i32.load8_u (i32.const 600)))
    (func $heard (result i32) (i32.load (i32.const 604)))
    (func $heard_size (result i32) (i32.load (i32.const 608)))
    (func $sleep (param i64) (call $block (call $subscribe (local.get 0)))))";
  static constexpr std::string_view kExports = R"(
  (core instance $main (instantiate $main
    (with "libc" (instance $libc))
    (with "host" (instance
      (export "block" (func $l_block)) (export "sleep" (func $l_sleep))
      (export "fields" (func $l_fields)) (export "append" (func $l_append))
      (export "consume" (func $l_consume)) (export "stream" (func $l_stream))
      (export "response" (func $l_response)) (export "body" (func $l_body))
      (export "write" (func $l_write)) (export "finish" (func $l_finish))
      (export "set" (func $l_set)) (export "say" (func $l_say))
      (export "hear" (func $l_hear)) (export "drop_stream" (func $l_drop_out))
      (export "drop_in" (func $l_drop_in)) (export "drop_body" (func $l_drop_body))
      (export "drop_request" (func $l_drop_request))
      (export "drop_outparam" (func $l_drop_outparam))))))
  (func $handle (param "request" (own $request)) (param "response-out" (own $outparam))
    (canon lift (core func $main "handle")))
  (instance $handler (export "handle" (func $handle)))
  (export "wasi:http/incoming-handler@0.2.0" (instance $handler)))";
  std::string text = fmt::format(
      "(component {}{}{} (core module $main {} {} (func (export \"handle\") (param $request i32) "
      "(param $outparam i32) (local $a i32) (local $b i32) (local $c i32) {})) {})",
      kImports, kHttpErrorCode, kMoreImports, kCalls, functions, body, kExports);
  return linking == Linking::shimmed ? shimmed(std::move(text)) : text;
}

// A component in text whose wasi:http/handler@0.3 counts its requests in $count, runs `body`, and
// answers with 200 and the count as status, without a body. Whatever it is given it keeps, and
// never asks for. Of the tests only.
inline std::string http3_component(std::string_view body) {
  static constexpr std::string_view kTypes = R"(
    (export "fields" (type $fields (sub resource)))
    (export "request" (type $request (sub resource)))
    (export "response" (type $response (sub resource)))
    (type $trailers (future (result (option (own $fields)) (error $code))))
    (export "[constructor]fields" (func (result (own $fields))))
    (export "[static]response.new"
      (func (param "headers" (own $fields)) (param "contents" (option (stream u8)))
            (param "trailers" $trailers)
            (result (tuple (own $response) (future (result (error $code)))))))
    (export "[method]response.set-status-code"
      (func (param "self" (borrow $response)) (param "status-code" u16) (result (result))))))
  (alias export $http "fields" (type $fields))
  (alias export $http "request" (type $request))
  (alias export $http "response" (type $response))
  (alias export $http "error-code" (type $code))
  (type $trailers (future (result (option (own $fields)) (error $code))))
  (core module $libc
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (unreachable)))
  (core instance $libc (instantiate $libc))
  (alias core export $libc "memory" (core memory $memory))
  (alias core export $libc "realloc" (core func $realloc))
  (core func $l_fields (canon lower (func $http "[constructor]fields")))
  (core func $l_response (canon lower (func $http "[static]response.new") (memory $memory)))
  (core func $l_status (canon lower (func $http "[method]response.set-status-code")))
  (core func $l_new (canon future.new $trailers))
  (core func $l_write (canon future.write $trailers async (memory $memory))))";
  static constexpr std::string_view kCalls = R"(
    (import "libc" "memory" (memory 1))
    (import "host" "fields" (func $fields (result i32)))
    (import "host" "response" (func $response (param i32 i32 i32 i32 i32)))
    (import "host" "status" (func $status (param i32 i32) (result i32)))
    (import "host" "new" (func $new (result i64)))
    (import "host" "write" (func $write (param i32 i32) (result i32)))
    (global $count (mut i32) (i32.const 0)))";
  // The result lies at 256: a zero, and the response at 264. Trailers at 512 are none.
  static constexpr std::string_view kAnswer = R"(
      (local.set $ends (call $new))
      (drop (call $write (i32.wrap_i64 (i64.shr_u (local.get $ends) (i64.const 32)))
                         (i32.const 512)))
      (call $response (call $fields) (i32.const 0) (i32.const 0)
                      (i32.wrap_i64 (local.get $ends)) (i32.const 128))
      (drop (call $status (i32.load (i32.const 128))
                          (i32.add (i32.const 200) (global.get $count))))
      (i32.store (i32.const 264) (i32.load (i32.const 128)))
      (i32.const 256))";
  static constexpr std::string_view kExports = R"(
  (core instance $main (instantiate $main
    (with "libc" (instance $libc))
    (with "host" (instance
      (export "fields" (func $l_fields)) (export "response" (func $l_response))
      (export "status" (func $l_status)) (export "new" (func $l_new))
      (export "write" (func $l_write))))))
  (func $handle async (param "request" (own $request))
                      (result (result (own $response) (error $code)))
    (canon lift (core func $main "handle") (memory $memory) (realloc $realloc)))
  (instance $handler (export "handle" (func $handle)))
  (export "wasi:http/handler@0.3.0" (instance $handler)))";
  return fmt::format(
      "(component (import \"wasi:http/types@0.3.0\" (instance $http {}{} "
      "(core module $main {} (func (export \"handle\") (param $request i32) (result i32) "
      "(local $i i32) (local $ends i64) "
      "(global.set $count (i32.add (global.get $count) (i32.const 1))) {} {})) {})",
      kHttpErrorCode, kTypes, kCalls, body, kAnswer, kExports);
}

// A body that answers with `text`, which lies at `offset`.
inline std::string answer_with(int offset, int size) {
  return fmt::format(
      "(local.set $a (call $begin (local.get $outparam) (call $fields)))"
      "(local.set $b (call $open (local.get $a)))"
      "(drop (call $say (local.get $b) (i32.const {}) (i32.const {})))"
      "(drop (call $close (local.get $a) (local.get $b)))",
      offset, size);
}

}  // namespace funcd::engine
