// Package opennext reads what OpenNext (opennext.js.org/aws) builds from a Next.js app: a
// .open-next tree becomes an [anchor.Build]. Trees come from outside: every read is bounded,
// and each refusal is an Invalid error that says what to do.
//
// Facts are cited from the sources of @opennextjs/aws 4.1.12 and open-next 2.3.9.
package opennext
