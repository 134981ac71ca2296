//! What leads to a stream is a stream: `&mut` and `Box`.

/// Implements a trait for pointers to what has it, both with the same functions.
macro_rules! through_pointers {
    (impl $trait:ident { $($functions:tt)* }) => {
        impl<T: $trait + ?Sized> $trait for &mut T {
            $($functions)*
        }

        impl<T: $trait + ?Sized> $trait for Box<T> {
            $($functions)*
        }
    };
}

pub(super) use through_pointers;
