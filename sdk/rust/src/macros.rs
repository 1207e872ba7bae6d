//! `parameters!`, `input!`, `output!` and `export!`.

/// Declares parameters: a struct with a default for every field, or an enum of names.
///
/// The doc comments become the descriptions in the parameters' JSON Schema; attributes of
/// `schemars` (`#[schemars(range(min = 1, max = 10))]`) and `serde` may be added. The struct gets
/// `Default` from the values after `=`, and both get `Serialize`, `Deserialize`, `JsonSchema`,
/// `Debug`, `Clone` and `PartialEq`, which the types of the fields need as well; the enum also gets
/// `Eq`. Parameters that are not declared are refused. Variants are written in snake case.
///
/// ```
/// use quarry_extractor::prelude::*;
///
/// parameters! {
///     /// What is counted.
///     #[derive(Copy)]
///     pub enum Unit {
///         /// Words between white space.
///         Words,
///         Lines,
///     }
/// }
///
/// parameters! {
///     pub struct Parameters {
///         /// What `size` counts.
///         pub unit: Unit = Unit::Words,
///         /// Units a document.
///         #[schemars(range(min = 1, max = 10_000))]
///         pub size: u32 = 200,
///     }
/// }
///
/// assert_eq!(Parameters::default().size, 200);
/// ```
#[macro_export]
macro_rules! parameters {
    (
        $(#[$meta:meta])*
        $visibility:vis struct $name:ident {
            $(
                $(#[$field_meta:meta])*
                $field_visibility:vis $field:ident : $type:ty = $default:expr
            ),* $(,)?
        }
    ) => {
        #[derive(
            Debug, Clone, PartialEq,
            $crate::serde::Serialize, $crate::serde::Deserialize, $crate::schemars::JsonSchema,
        )]
        #[serde(crate = "quarry_extractor::serde", default, deny_unknown_fields)]
        #[schemars(crate = "quarry_extractor::schemars")]
        $(#[$meta])*
        $visibility struct $name {
            $( $(#[$field_meta])* $field_visibility $field: $type, )*
        }

        impl ::std::default::Default for $name {
            fn default() -> Self {
                Self { $( $field: $default, )* }
            }
        }
    };
    (
        $(#[$meta:meta])*
        $visibility:vis enum $name:ident {
            $( $(#[$variant_meta:meta])* $variant:ident ),* $(,)?
        }
    ) => {
        #[derive(
            Debug, Clone, PartialEq, Eq,
            $crate::serde::Serialize, $crate::serde::Deserialize, $crate::schemars::JsonSchema,
        )]
        #[serde(crate = "quarry_extractor::serde", rename_all = "snake_case")]
        #[schemars(crate = "quarry_extractor::schemars")]
        $(#[$meta])*
        $visibility enum $name {
            $( $(#[$variant_meta])* $variant, )*
        }
    };
}

/// Declares the row an extractor takes. Doc comments become the descriptions of the columns.
///
/// Types: `&'a str`, [`JsonText<'a>`](crate::JsonText), `i64`, `f64`, `bool`,
/// [`Vector<'a>`](crate::Vector), [`Blob<'a>`](crate::Blob), and `Option` of all but the blob.
/// A row in which a field without `Option` is null never reaches the extractor.
///
/// ```
/// use quarry_extractor::prelude::*;
///
/// input! {
///     pub struct Input<'a> {
///         /// The text to cut.
///         text: &'a str,
///         /// The language, if it is known.
///         language: Option<&'a str>,
///     }
/// }
/// ```
#[macro_export]
macro_rules! input {
    (
        $(#[$meta:meta])*
        $visibility:vis struct $name:ident < $lifetime:lifetime > {
            $(
                $(#[doc = $doc:expr])*
                $field_visibility:vis $field:ident : $type:ty
            ),* $(,)?
        }
    ) => {
        $(#[$meta])*
        $visibility struct $name<$lifetime> {
            $( $(#[doc = $doc])* $field_visibility $field: $type, )*
        }

        impl<$lifetime> $crate::InputRow<$lifetime> for $name<$lifetime> {
            const FIELDS: &'static [$crate::InputSpec] = &[$(
                $crate::InputSpec {
                    name: ::std::stringify!($field),
                    field_type: <$type as $crate::InputValue<$lifetime>>::TYPE,
                    required: <$type as $crate::InputValue<$lifetime>>::REQUIRED,
                    doc: ::std::concat!($($doc, "\n"),*),
                },
            )*];

            #[inline]
            fn read(columns: &[$crate::TileColumn<$lifetime>], row: usize) -> Self {
                let [$($field),*] = columns else {
                    ::std::unreachable!("one column for each field")
                };
                Self { $( $field: $crate::InputValue::read($field, row), )* }
            }
        }
    };
    (
        $(#[$meta:meta])*
        $visibility:vis struct $name:ident {
            $(
                $(#[doc = $doc:expr])*
                $field_visibility:vis $field:ident : $type:ty
            ),* $(,)?
        }
    ) => {
        $(#[$meta])*
        $visibility struct $name {
            $( $(#[doc = $doc])* $field_visibility $field: $type, )*
        }

        impl<'row> $crate::InputRow<'row> for $name {
            const FIELDS: &'static [$crate::InputSpec] = &[$(
                $crate::InputSpec {
                    name: ::std::stringify!($field),
                    field_type: <$type as $crate::InputValue<'row>>::TYPE,
                    required: <$type as $crate::InputValue<'row>>::REQUIRED,
                    doc: ::std::concat!($($doc, "\n"),*),
                },
            )*];

            #[inline]
            fn read(columns: &[$crate::TileColumn<'row>], row: usize) -> Self {
                let [$($field),*] = columns else {
                    ::std::unreachable!("one column for each field")
                };
                Self { $( $field: $crate::InputValue::read($field, row), )* }
            }
        }
    };
}

/// Declares the document an extractor makes. Doc comments become the descriptions of the fields.
///
/// Types: `&'a str`, `String`, `i64`, `f64`, `bool`, `&'a [u8]`, [`Json<'a, T>`](crate::Json),
/// [`JsonText<'a>`](crate::JsonText) and `Option` of these; [`Dense<'a>`](crate::Dense),
/// [`Sparse<'a>`](crate::Sparse), [`Multi<'a>`](crate::Multi).
///
/// ```
/// use quarry_extractor::prelude::*;
///
/// output! {
///     pub struct Page<'a> {
///         /// The text of the page.
///         text: &'a str,
///         /// Counts from 0.
///         number: i64,
///         /// The title, when the page has one.
///         title: Option<&'a str>,
///     }
/// }
/// ```
#[macro_export]
macro_rules! output {
    (
        $(#[$meta:meta])*
        $visibility:vis struct $name:ident $(< $lifetime:lifetime >)? {
            $(
                $(#[doc = $doc:expr])*
                $field_visibility:vis $field:ident : $type:ty
            ),* $(,)?
        }
    ) => {
        $(#[$meta])*
        $visibility struct $name $(<$lifetime>)? {
            $( $(#[doc = $doc])* $field_visibility $field: $type, )*
        }

        impl $(<$lifetime>)? $crate::OutputRow for $name $(<$lifetime>)? {
            const FIELDS: &'static [$crate::OutputSpec] = &[$(
                $crate::OutputSpec {
                    name: ::std::stringify!($field),
                    field_type: <$type as $crate::OutputValue>::TYPE,
                    doc: ::std::concat!($($doc, "\n"),*),
                },
            )*];

            #[inline]
            fn write(self, columns: &mut [$crate::Column]) {
                let [$($field),*] = columns else {
                    ::std::unreachable!("one column for each field")
                };
                $(
                    if $field.enabled() {
                        $crate::OutputValue::write(self.$field, $field);
                    }
                )*
            }
        }
    };
}

/// Makes a type that implements [`Extractor`](crate::Extractor) the extractor of this crate. Once
/// a crate, at its root. Does nothing in a native build, where tests use the type directly.
#[macro_export]
macro_rules! export {
    ($extractor:ty) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
            /// Read by the host before it instantiates anything.
            #[used]
            #[unsafe(link_section = "quarry:api")]
            static API: [u8; $crate::API_VERSION.len()] = $crate::wasm::api_stamp();

            ::std::thread_local! {
                static STATE: $crate::wasm::State<$extractor> =
                    const { $crate::wasm::State::new() };
            }

            struct Component;

            impl $crate::wasm::Hosted for Component {
                type Extractor = $extractor;
                fn state<T>(with: impl FnOnce(&$crate::wasm::State<$extractor>) -> T) -> T {
                    STATE.with(with)
                }
            }

            $crate::wasm::bindings::export_component!(
                Component with_types_in $crate::wasm::bindings
            );
        };
    };
}
