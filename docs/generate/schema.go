package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// schema is the part of JSON Schema (draft 2020-12) that the API uses.
type schema struct {
	Ref         string `json:"$ref"`
	Type        types
	Format      string
	Description string
	Enum        []any
	Default     any
	Items       *schema
	Properties  map[string]schema
	Required    []string
	Additional  json.RawMessage `json:"additionalProperties"` // a schema, or false

	Minimum, Maximum     *float64
	MinLength, MaxLength *int
	MaxItems             *int
}

// types is the type of a value: one name, or several.
type types []string

// UnmarshalJSON implements json.Unmarshaler.
func (t *types) UnmarshalJSON(raw []byte) error {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		*t = types{one}
		return nil
	}
	return json.Unmarshal(raw, (*[]string)(t))
}

// String names the type in a few words.
func (s schema) String() string {
	if s.Ref != "" {
		name := s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]
		return "[" + name + "](#" + strings.ToLower(name) + ")"
	}
	main := "any"
	for _, t := range s.Type {
		if t != "null" {
			main = t
		}
	}
	switch {
	case s.Items != nil:
		return "list of " + s.Items.String()
	case len(s.Enum) > 0:
		return "one of " + words(s.Enum)
	case main == "object":
		if of := s.values(); of != nil {
			return "object of " + of.String()
		}
	}
	return main
}

// values is the schema of an object's members whose names are free.
func (s schema) values() *schema {
	var of schema
	if len(s.Additional) == 0 || s.Additional[0] != '{' || json.Unmarshal(s.Additional, &of) != nil {
		return nil
	}
	return &of
}

func words(values []any) string {
	var list []string
	for _, v := range values {
		list = append(list, fmt.Sprintf("`%v`", v))
	}
	return strings.Join(list, ", ")
}

// describe writes a record as a table of its fields.
func (s schema) describe(b *bytes.Buffer) {
	if s.Description != "" {
		fmt.Fprintf(b, "%s\n\n", s.Description)
	}
	if len(s.Properties) == 0 {
		fmt.Fprintf(b, "%s\n", s)
		return
	}
	b.WriteString("| field | type | |\n|---|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		field, optional := s.Properties[name], "?"
		if slices.Contains(s.Required, name) {
			optional = ""
		}
		fmt.Fprintf(b, "| `%s`%s | %s | %s |\n", name, optional, field, joined("; ", field.Description, field.bounds()))
	}
}

func (s schema) bounds() string {
	var parts []string
	add := func(text string, n *int) {
		if n != nil {
			parts = append(parts, text+" "+strconv.Itoa(*n))
		}
	}
	add("length at least", s.MinLength)
	add("length at most", s.MaxLength)
	add("items at most", s.MaxItems)
	if s.Minimum != nil {
		parts = append(parts, fmt.Sprintf("at least %v", *s.Minimum))
	}
	if s.Maximum != nil {
		parts = append(parts, fmt.Sprintf("at most %v", *s.Maximum))
	}
	if s.Default != nil {
		parts = append(parts, fmt.Sprintf("default %v", s.Default))
	}
	return strings.Join(parts, ", ")
}
