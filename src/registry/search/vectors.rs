//! Meaning as vectors: what makes them, how near they are, and how two orders become one.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;

use crate::error::{Code, Error, Result};
use crate::exec::BoxFuture;

/// Makes vectors of texts, such as a model behind an endpoint. Texts that mean something similar get vectors of a similar
/// direction.
pub trait Embedder: Send + Sync + fmt::Debug {
    /// The name of the model: vectors of one model cannot be compared with those of another.
    fn model(&self) -> &str;

    /// One vector for each text, in their order, all of the same length.
    ///
    /// # Errors
    /// Those of reaching and understanding the model.
    fn embed<'a>(&'a self, texts: &'a [String]) -> BoxFuture<'a, Result<Vec<Vec<f32>>>>;
}

/// The `k` of reciprocal rank fusion, as in the paper that introduced it: places further down still count for something.
const K: f64 = 60.0;

/// Vectors of length 1, one for each text.
///
/// # Errors
/// E3501 where the model cannot be used: it cannot be reached, or its answer is not one vector of numbers for each text.
pub(super) async fn embedded(embedder: &dyn Embedder, texts: &[String]) -> Result<Vec<Vec<f32>>> {
    let vectors = embedder.embed(texts).await?;
    let wrong = |why: &str| {
        Error::new(
            Code::E3501,
            format!("reading vectors of model {}: {why}", embedder.model()),
        )
    };
    if vectors.len() != texts.len() {
        return Err(wrong("it did not give one for each text"));
    }
    vectors
        .into_iter()
        .map(|vector| normal(vector).ok_or_else(|| wrong("one has no direction")))
        .collect()
}

/// The vector of the same direction and length 1; nothing for one without a direction.
pub(super) fn normal(mut vector: Vec<f32>) -> Option<Vec<f32>> {
    let largest = vector
        .iter()
        .fold(0.0_f32, |largest, number| largest.max(number.abs()));
    // Scaled first, so that squares neither overflow nor vanish.
    vector.iter_mut().for_each(|number| *number /= largest);
    let length = dot(&vector, &vector).sqrt();
    vector.iter_mut().for_each(|number| *number /= length);
    (!vector.is_empty() && vector.iter().all(|number| number.is_finite())).then_some(vector)
}

/// The cosine of the angle between two vectors of length 1, from -1 to 1; 0 for vectors of different models.
pub(super) fn cosine(a: &[f32], b: &[f32]) -> f32 {
    if a.len() == b.len() { dot(a, b) } else { 0.0 }
}

/// Summed in eight lanes, which the processor does at once.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a, a_rest) = a.as_chunks::<8>();
    let (b, b_rest) = b.as_chunks::<8>();
    let mut lanes = [0.0_f32; 8];
    for (a, b) in a.iter().zip(b) {
        for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += a * b;
        }
    }
    let rest = a_rest.iter().zip(b_rest).map(|(a, b)| a * b);
    lanes.into_iter().chain(rest).sum()
}

/// One order made of several, the best first (reciprocal rank fusion): what stands high in any of them stands high, and what
/// stands high in several stands higher. The score is the sum of 1 / (60 + place).
pub(super) fn fused<T: Clone + Eq + Hash + Ord>(orders: &[Vec<T>]) -> Vec<(T, f64)> {
    let mut scores: HashMap<&T, f64> = HashMap::new();
    for order in orders {
        let mut place = K;
        for item in order {
            place += 1.0;
            *scores.entry(item).or_default() += 1.0 / place;
        }
    }
    let mut fused: Vec<(T, f64)> = scores
        .into_iter()
        .map(|(item, score)| (item.clone(), score))
        .collect();
    fused.sort_by(|(one, a), (other, b)| b.total_cmp(a).then_with(|| one.cmp(other)));
    fused
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_stands_high_in_both_orders_comes_first() {
        let order = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let fused = fused(&[order("a b c"), order("d b e")]);
        assert_eq!(fused[0].0, "b");
        assert!((fused[0].1 - 2.0 / 62.0).abs() < 1e-12);
        assert_eq!(fused.len(), 5);
        // Of equals, the order is that of the names.
        assert_eq!((fused[1].0.as_str(), fused[2].0.as_str()), ("a", "d"));
    }

    #[test]
    fn a_vector_without_a_direction_is_refused() {
        for vector in [
            vec![],
            vec![0.0, 0.0],
            vec![f32::NAN, 1.0],
            vec![f32::INFINITY, 1.0],
        ] {
            assert_eq!(normal(vector.clone()), None, "{vector:?}");
        }
        assert!(normal(vec![f32::MAX, f32::MAX]).is_some());
        assert_eq!(cosine(&[1.0], &[1.0, 0.0]), 0.0);
    }

    proptest! {
        #[test]
        fn the_cosine_is_that_of_the_angle(
            pairs in prop::collection::vec((-100.0_f32..100.0, -100.0_f32..100.0), 1..40),
        ) {
            let (a, b): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
            let double = |v: &[f32]| v.iter().map(|x| f64::from(*x)).collect::<Vec<_>>();
            let (wide_a, wide_b) = (double(&a), double(&b));
            let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            let lengths = (product(&wide_a, &wide_a) * product(&wide_b, &wide_b)).sqrt();
            prop_assume!(lengths > 1e-3);
            let (Some(a), Some(b)) = (normal(a), normal(b)) else { panic!("both have a direction") };
            prop_assert!((f64::from(cosine(&a, &b)) - product(&wide_a, &wide_b) / lengths).abs() < 1e-4);
            prop_assert!((cosine(&a, &a) - 1.0).abs() < 1e-5);
        }

        #[test]
        fn one_order_stays_as_it_is(order in Just((0..50).collect::<Vec<u32>>()).prop_shuffle()) {
            let fused: Vec<u32> = fused(std::slice::from_ref(&order)).into_iter().map(|(item, _)| item).collect();
            prop_assert_eq!(fused, order);
        }
    }
}
