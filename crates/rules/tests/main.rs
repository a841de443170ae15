//! Rules through the crate's door: text, meaning, order, price, and the opinions of real machines.

#[cfg(test)]
mod flowspec;
#[cfg(test)]
mod kernel;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod make;
#[cfg(test)]
mod meaning;
#[cfg(test)]
mod nftables;
#[cfg(test)]
mod order;
#[cfg(test)]
mod price;
#[cfg(test)]
mod spare;
#[cfg(test)]
mod text;
#[cfg(test)]
mod tool;
