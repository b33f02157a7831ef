//! A YAML or JSON document in which every value knows its position.
