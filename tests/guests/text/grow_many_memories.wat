;; Has four memories, and grows them all: each is small, their sum is not.

(component
  (core module $Spare
    (memory 1)
    (func (export "grow") (loop (br_if 0 (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))))
  (core module $Main
    (import "a" "grow" (func $a))
    (import "b" "grow" (func $b))
    (import "c" "grow" (func $c))
    (memory (export "memory") 1)
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
    (func (export "handle") (param i32 i32 i32 i32 i32 i32) (result i32)
      (call $a) (call $b) (call $c) (unreachable)))
  (core instance $a (instantiate $Spare))
  (core instance $b (instantiate $Spare))
  (core instance $c (instantiate $Spare))
  (core instance $main (instantiate $Main
    (with "a" (instance $a)) (with "b" (instance $b)) (with "c" (instance $c))))
  (alias core export $main "memory" (core memory $memory))
  (alias core export $main "cabi_realloc" (core func $realloc))
  (alias core export $main "handle" (core func $core_handle))
  (type $failure (variant
    (case "retry" string) (case "retry-after" (tuple u64 string)) (case "permanent" string)))
  (type $handle_type (func
    (param "event" (option string)) (param "data" (option string))
    (result (result (option string) (error $failure)))))
  (func $handle (type $handle_type)
    (canon lift (core func $core_handle) (memory $memory) (realloc $realloc) string-encoding=utf8))
  ;; What is exported must have names of its own.
  (component $Interface
    (type $given (variant
      (case "retry" string) (case "retry-after" (tuple u64 string)) (case "permanent" string)))
    (import "failure-given" (type $failure_given (eq $given)))
    (import "handle-given" (func $handle
      (param "event" (option string)) (param "data" (option string))
      (result (result (option string) (error $failure_given)))))
    (type $own (variant
      (case "retry" string) (case "retry-after" (tuple u64 string)) (case "permanent" string)))
    (export $failure "failure" (type $own))
    (export "handle" (func $handle) (func
      (param "event" (option string)) (param "data" (option string))
      (result (result (option string) (error $failure))))))
  (instance $interface (instantiate $Interface
    (with "failure-given" (type $failure)) (with "handle-given" (func $handle))))
  (export "innkeeper:plugin/handler@0.1.0" (instance $interface)))
